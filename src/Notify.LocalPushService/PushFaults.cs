namespace Notify.LocalPushService;

/// <summary>The faults on command, in the order in which they were added. The first that matches strikes. Thread-safe.</summary>
public sealed class PushFaults
{
    private readonly Lock _lock = new();
    private readonly List<PushFault> _active = [];

    // Seeded, so that a run with probabilities can be repeated.
    private readonly Random _random = new(8030);
    private volatile bool _any;

    /// <summary>The faults still to strike; <see cref="PushFault.Times"/> is how often.</summary>
    public IReadOnlyList<PushFault> Active
    {
        get
        {
            lock (_lock)
            {
                return [.. _active];
            }
        }
    }

    /// <summary>Adds a fault behind the others.</summary>
    /// <exception cref="ArgumentException">It contradicts itself or a value is out of its range.</exception>
    public void Add(PushFault fault)
    {
        ArgumentNullException.ThrowIfNull(fault);
        if (fault.Problem() is { } problem)
        {
            throw new ArgumentException(problem, nameof(fault));
        }

        lock (_lock)
        {
            _active.Add(fault);
            _any = true;
        }
    }

    /// <summary>Removes all faults. Subscriptions that are gone stay gone.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _active.Clear();
            _any = false;
        }
    }

    internal PushFault? Take(Subscription subscription)
    {
        if (!_any)
        {
            return null;
        }

        lock (_lock)
        {
            for (int i = 0; i < _active.Count; i++)
            {
                PushFault fault = _active[i];
                if ((fault.Endpoint is not null && fault.Endpoint != subscription.Endpoint)
                    || (fault.Probability < 1 && _random.NextDouble() >= fault.Probability))
                {
                    continue;
                }

                if (fault.Times == 1)
                {
                    _active.RemoveAt(i);
                    _any = _active.Count > 0;
                }
                else if (fault.Times != int.MaxValue)
                {
                    _active[i] = fault with { Times = fault.Times - 1 };
                }

                return fault;
            }

            return null;
        }
    }
}
