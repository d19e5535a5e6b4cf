using Notify.Contracts;

namespace Notify.Dashboard;

/// <summary>What all workers have reported of the last ten minutes.</summary>
public sealed class Workers(TimeProvider time)
{
    /// <summary>How far back it goes.</summary>
    public static readonly TimeSpan Span = TimeSpan.FromMinutes(10);

    /// <summary>Failures that are kept, of all workers.</summary>
    public const int MostFailures = 100;

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, Queue<WorkerReport>> _reports = [];
    private readonly Queue<PushFailed> _failures = new();
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Notes a report.</summary>
    public void Note(WorkerReport told)
    {
        // By this worker's clock, since those of several machines differ.
        var report = told with { At = time.GetUtcNow() };
        lock (_lock)
        {
            if (!_reports.TryGetValue(report.WorkerId, out var known))
            {
                _reports[report.WorkerId] = known = new Queue<WorkerReport>();
            }

            known.Enqueue(report);
            foreach (var failure in report.Failures)
            {
                _failures.Enqueue(failure);
                if (_failures.Count > MostFailures)
                {
                    _failures.Dequeue();
                }
            }

            var before = report.At - Span;
            foreach (var (id, reports) in _reports)
            {
                while (reports.TryPeek(out var oldest) && oldest.At < before)
                {
                    reports.Dequeue();
                }

                if (reports.Count == 0)
                {
                    _reports.Remove(id);
                }
            }

            _next.TrySetResult();
            _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>Comes to its end with the next report.</summary>
    public Task NextAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return _next.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>The reports of each worker, oldest first.</summary>
    public IReadOnlyList<IReadOnlyList<WorkerReport>> Reports()
    {
        lock (_lock)
        {
            return [.. _reports.Values.Select(reports => reports.ToArray())];
        }
    }

    /// <summary>The last failures, newest first.</summary>
    public IReadOnlyList<PushFailed> Failures()
    {
        lock (_lock)
        {
            return [.. _failures.Reverse()];
        }
    }
}
