using System.Data;
using Microsoft.EntityFrameworkCore;
using Notify.Messaging.Outbox;
using Notify.Tests.Store;

namespace Notify.Tests.Messaging.Outbox;

public class DeliveryTurnsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_turn_on_SQLite_leaves_no_connection_open_and_lets_the_next_one_in()
    {
        await using var store = await TestStore.CreateAsync();
        var turns = new FileLockTurns();
        await using var db = store.Open();
        db.Add(new OutboxMessage { MessageId = Guid.NewGuid(), ContentType = "application/json", MessageType = "urn:message:none", Body = "{}" });
        await db.SaveChangesAsync(Cancellation);

        for (var number = 0; number < 2; number++)
        {
            await using (await turns.TakeAsync(db, Cancellation))
            {
                Assert.Equal(ConnectionState.Open, db.Database.GetDbConnection().State);
            }

            Assert.Equal(ConnectionState.Closed, db.Database.GetDbConnection().State);
        }
    }
}
