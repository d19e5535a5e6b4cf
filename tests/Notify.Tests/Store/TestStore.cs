using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Notify.Fanout;
using Notify.Messaging;
using Notify.Store;
using Notify.WebPush;

namespace Notify.Tests.Store;

/// <summary>A store of its own, at the current schema: a SQLite file unless an empty database is given.</summary>
public sealed class TestStore : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("notify-test-");
    private readonly ServiceProvider _services;

    private TestStore(TestDatabase? database, IInterceptor[] interceptors)
    {
        ConnectionString = database?.ConnectionString ?? $"Data Source={Path.Combine(_folder.FullName, "notify.db")}";
        var services = new ServiceCollection();
        _ = (database?.Kind ?? StoreKind.Sqlite) switch
        {
            StoreKind.PostgreSql => services.Add<PostgreSqlNotifyDbContext>(options => options.UseNotifyPostgreSql(ConnectionString).AddInterceptors(interceptors)),
            StoreKind.SqlServer => services.Add<SqlServerNotifyDbContext>(options => options.UseNotifySqlServer(ConnectionString).AddInterceptors(interceptors)),
            _ => services.Add<SqliteNotifyDbContext>(options => options.UseNotifySqlite(ConnectionString, busForgets: true).AddInterceptors(interceptors)),
        };
        _services = services.BuildServiceProvider();
    }

    public string ConnectionString { get; }

    public IDbContextFactory<NotifyDbContext> Factory => _services.GetRequiredService<IDbContextFactory<NotifyDbContext>>();

    public static Task<TestStore> CreateAsync(params IInterceptor[] interceptors) => CreateAsync(null, interceptors);

    public static async Task<TestStore> CreateAsync(TestDatabase? database, params IInterceptor[] interceptors)
    {
        var store = new TestStore(database, interceptors);
        await using var db = store.Open();
        await db.Database.MigrateAsync(TestContext.Current.CancellationToken);
        return store;
    }

    /// <summary>A store that others have filled.</summary>
    public static TestStore Of(TestDatabase database) => new(database, []);

    public NotifyDbContext Open() => Factory.CreateDbContext();

    /// <summary>The fan-out's ledger in this store, with this bus.</summary>
    public FanoutLedger NewLedger(TransportKind bus = TransportKind.RabbitMq, TimeProvider? time = null, ILogger<FanoutLedger>? logger = null) =>
        new(Factory, Options.Create(new NotifyOptions { Transport = bus }), time ?? TimeProvider.System, logger ?? NullLogger<FanoutLedger>.Instance);

    /// <summary>Endpoint and keys as a browser would make them.</summary>
    public static PushSubscription NewPushSubscription(string? endpoint = null)
    {
        using var key = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        return PushSubscription.Create(
            endpoint ?? $"https://fcm.googleapis.com/fcm/send/{Guid.NewGuid():N}",
            Base64Url.EncodeToString([4, .. point.X!, .. point.Y!]),
            Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16)));
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }
}
