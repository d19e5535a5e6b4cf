using Microsoft.EntityFrameworkCore;
using Notify.Deliveries;

namespace Notify.Tests.Store;

public sealed class SqliteStatementsTests : IAsyncLifetime
{
    private readonly (Guid Message, Guid Subscription) _ids = (Guid.NewGuid(), Guid.NewGuid());
    private TestStore _store = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _store = await TestStore.CreateAsync();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Theory]
    [InlineData(DeliveryState.Accepted)]
    [InlineData(DeliveryState.Expired)]
    [InlineData(DeliveryState.Failed)]
    public async Task An_end_is_not_overwritten_by_a_wait_that_is_told_late(DeliveryState end)
    {
        await WriteAsync(end, attempts: 2);
        await WriteAsync(DeliveryState.Retrying, attempts: 1);

        Assert.Equal(end, (await ReadAsync()).State);
    }

    [Fact]
    public async Task A_wait_gives_way_to_a_later_wait_and_to_an_end_but_not_to_an_earlier_wait()
    {
        await WriteAsync(DeliveryState.Retrying, attempts: 2);
        await WriteAsync(DeliveryState.Retrying, attempts: 1);
        Assert.Equal(2, (await ReadAsync()).Attempts);
        await WriteAsync(DeliveryState.Retrying, attempts: 3);
        Assert.Equal(3, (await ReadAsync()).Attempts);

        await WriteAsync(DeliveryState.Accepted, attempts: 4);

        Assert.Equal((DeliveryState.Accepted, 4), ((await ReadAsync()).State, (await ReadAsync()).Attempts));
    }

    private async Task WriteAsync(DeliveryState state, int attempts)
    {
        await using var db = _store.Open();
        await db.Statements.WriteDeliveriesAsync(
            [new Delivery { MessageId = _ids.Message, SubscriptionId = _ids.Subscription, UserId = "ada", State = state, Attempts = attempts, UpdatedAt = DateTimeOffset.UnixEpoch }],
            Cancellation);
    }

    private async Task<Delivery> ReadAsync()
    {
        await using var db = _store.Open();
        return await db.Deliveries.AsNoTracking().SingleAsync(row => row.MessageId == _ids.Message && row.SubscriptionId == _ids.Subscription, Cancellation);
    }
}
