using Microsoft.EntityFrameworkCore;
using Notify.Store;
using Notify.Store.Encryption;

namespace Notify.Tests.Store.Encryption;

public sealed class ReencryptionTests
{
    [Fact]
    public void Every_database_pages_by_the_digest_itself()
    {
        NotifyDbContext[] databases =
        [
            new SqliteNotifyDbContext(new DbContextOptionsBuilder<SqliteNotifyDbContext>().UseSqlite("Data Source=:memory:").Options),
            new PostgreSqlNotifyDbContext(new DbContextOptionsBuilder<PostgreSqlNotifyDbContext>().UseNpgsql("Host=nowhere").Options),
            new SqlServerNotifyDbContext(new DbContextOptionsBuilder<SqlServerNotifyDbContext>().UseSqlServer("Server=nowhere").Options),
        ];
        foreach (var db in databases)
        {
            using (db)
            {
                Assert.Matches(@"EndpointDigest\W > @", Reencryption.RowsAfter(db, "digest").ToQueryString());
            }
        }
    }
}
