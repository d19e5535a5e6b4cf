using System.Runtime.InteropServices;

namespace Notify.Messaging.InMemory;

/// <summary>
/// A mailbox for each subscription: what is put in is handled one at a time, in its order, and of many mailboxes at once. A mailbox is there only while something is in it.
/// </summary>
/// <param name="places">How many are handled at once, of all mailboxes.</param>
/// <param name="handle">Handles one, and tells what goes wrong by itself: an exception only ends it.</param>
internal sealed class Mailboxes<T>(int places, Func<T, Task> handle)
{
    // Of each mailbox what waits behind the one that has its turn; null while nothing does.
    private readonly Dictionary<Guid, Queue<T>?> _mailboxes = [];

    // Those that have their turn in their mailbox, and no place yet.
    private readonly Queue<(Guid Subscription, T Item)> _turns = [];
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _taken;
    private int _waiting;
    private bool _isEnding;

    /// <summary>How many are not begun.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Puts one into the mailbox of its subscription, behind those that are there.</summary>
    public void Put(Guid subscription, T item)
    {
        lock (_lock)
        {
            ref var behind = ref CollectionsMarshal.GetValueRefOrAddDefault(_mailboxes, subscription, out var isInTurn);
            if (isInTurn)
            {
                (behind ??= []).Enqueue(item);
                _waiting++;
                return;
            }

            if (_taken == places || _isEnding)
            {
                _turns.Enqueue((subscription, item));
                _waiting++;
                return;
            }

            _taken++;
        }

        Start(subscription, item);
    }

    /// <summary>Begins nothing any more, and comes to an end with what is under way.</summary>
    public Task EndAsync()
    {
        lock (_lock)
        {
            _isEnding = true;
            EndIfIdle();
        }

        return _ended.Task;
    }

    private void Start(Guid subscription, T item)
    {
        // Whoever comes first must not have all that follows in their trace.
        using (ExecutionContext.SuppressFlow())
        {
            _ = Task.Run(() => HandleAllAsync(subscription, item));
        }
    }

    // One place: what has its turn next gets it.
    private async Task HandleAllAsync(Guid subscription, T item)
    {
        do
        {
            await handle(item).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        while (TakeNext(ref subscription, ref item));
    }

    private bool TakeNext(ref Guid subscription, ref T item)
    {
        lock (_lock)
        {
            if (_mailboxes[subscription] is { } behind && behind.TryDequeue(out var next))
            {
                // Behind those of other subscriptions.
                _turns.Enqueue((subscription, next));
            }
            else
            {
                _mailboxes.Remove(subscription);
            }

            if (!_isEnding && _turns.TryDequeue(out var turn))
            {
                _waiting--;
                (subscription, item) = turn;
                return true;
            }

            _taken--;
            EndIfIdle();
            return false;
        }
    }

    private void EndIfIdle()
    {
        if (_isEnding && _taken == 0)
        {
            _ended.TrySetResult();
        }
    }
}
