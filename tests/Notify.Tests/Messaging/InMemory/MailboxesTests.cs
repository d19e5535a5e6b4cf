using System.Collections.Concurrent;
using Notify.Messaging.InMemory;

namespace Notify.Tests.Messaging.InMemory;

public sealed class MailboxesTests
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _handled = new();
    private readonly ConcurrentQueue<string> _begun = new();
    private readonly Guid _ada = Guid.NewGuid();
    private readonly Guid _bob = Guid.NewGuid();

    [Fact]
    public async Task What_follows_in_a_mailbox_waits_and_other_mailboxes_do_not()
    {
        var mailboxes = new Mailboxes<string>(places: 2, HandleAsync);
        mailboxes.Put(_ada, "a1");
        await BegunAsync("a1");
        mailboxes.Put(_ada, "a2");
        mailboxes.Put(_ada, "a3");
        mailboxes.Put(_bob, "b1");
        await BegunAsync("b1");

        Assert.Equal(["a1", "b1"], _begun);
        Assert.Equal(2, mailboxes.Waiting);

        Finish("a1");
        await BegunAsync("a2");
        Finish("a2");
        await BegunAsync("a3");
        Finish("b1", "a3");
        await mailboxes.EndAsync().WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken);

        Assert.Equal(["a1", "b1", "a2", "a3"], _begun);
        Assert.Equal(0, mailboxes.Waiting);
    }

    [Fact]
    public async Task Places_are_given_in_turn_and_a_mailbox_with_much_in_it_goes_behind_the_others()
    {
        var mailboxes = new Mailboxes<string>(places: 1, HandleAsync);
        mailboxes.Put(_ada, "a1");
        await BegunAsync("a1");
        mailboxes.Put(_ada, "a2");
        mailboxes.Put(_ada, "a3");
        mailboxes.Put(_bob, "b1");
        Assert.Equal(3, mailboxes.Waiting);

        Finish("a1", "b1", "a2", "a3");
        await BegunAsync("a3");
        await mailboxes.EndAsync().WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken);

        Assert.Equal(["a1", "b1", "a2", "a3"], _begun);
    }

    [Fact]
    public async Task It_ends_with_what_is_under_way_and_begins_nothing_more()
    {
        var mailboxes = new Mailboxes<string>(places: 1, HandleAsync);
        mailboxes.Put(_ada, "a1");
        await BegunAsync("a1");
        mailboxes.Put(_ada, "a2");
        mailboxes.Put(_bob, "b1");

        var end = mailboxes.EndAsync();
        mailboxes.Put(Guid.NewGuid(), "c1");
        Assert.False(end.IsCompleted);
        Finish("a1");
        await end.WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken);

        Assert.Equal(["a1"], _begun);
        Assert.Equal(3, mailboxes.Waiting);
    }

    [Fact]
    public async Task One_that_fails_leaves_its_place_and_its_mailbox_to_the_next()
    {
        var mailboxes = new Mailboxes<string>(places: 1, HandleAsync);
        mailboxes.Put(_ada, "a1");
        mailboxes.Put(_ada, "a2");

        Of("a1").SetException(new InvalidOperationException());
        await BegunAsync("a2");
        Finish("a2");
        await mailboxes.EndAsync().WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Empty_it_ends_at_once() => Assert.True(new Mailboxes<string>(places: 1, HandleAsync).EndAsync().IsCompleted);

    [Fact]
    public async Task Never_two_of_a_mailbox_are_handled_nor_more_than_there_are_places_and_all_are_in_their_order()
    {
        var (inside, tooMany) = (0, 0);
        var subscriptions = Enumerable.Range(0, 20).Select(_ => Guid.NewGuid()).ToArray();
        var handled = subscriptions.ToDictionary(id => id, _ => new List<int>());
        var insideOf = new ConcurrentDictionary<Guid, int>();
        var two = 0;
        var mailboxes = new Mailboxes<(Guid Subscription, int Number)>(places: 7, async item =>
        {
            if (Interlocked.Increment(ref inside) > 7)
            {
                Interlocked.Increment(ref tooMany);
            }

            if (insideOf.AddOrUpdate(item.Subscription, 1, (_, count) => count + 1) > 1)
            {
                Interlocked.Increment(ref two);
            }

            await Task.Yield();
            handled[item.Subscription].Add(item.Number);
            insideOf.AddOrUpdate(item.Subscription, 0, (_, count) => count - 1);
            Interlocked.Decrement(ref inside);
        });

        // One who puts in for each four subscriptions: of one subscription in order.
        await Task.WhenAll(subscriptions.Chunk(4).Select(some => Task.Run(() =>
        {
            for (var number = 0; number < 500; number++)
            {
                foreach (var subscription in some)
                {
                    mailboxes.Put(subscription, (subscription, number));
                }
            }
        })));
        await Eventually.TrueAsync(() => mailboxes.Waiting == 0);
        await mailboxes.EndAsync().WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken);

        Assert.Equal((0, 0), (two, tooMany));
        Assert.All(handled.Values, numbers => Assert.Equal(Enumerable.Range(0, 500), numbers));
    }

    private TaskCompletionSource Of(string item) => _handled.GetOrAdd(item, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    private Task HandleAsync(string item)
    {
        _begun.Enqueue(item);
        return Of(item).Task;
    }

    private void Finish(params string[] items) => Array.ForEach(items, item => Of(item).SetResult());

    private Task BegunAsync(string item) => Eventually.TrueAsync(() => _begun.Contains(item));
}
