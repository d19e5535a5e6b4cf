using Microsoft.Data.SqlClient;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Notify.Messaging;
using Notify.Store.Encryption;
using Npgsql;

namespace Notify.Store;

/// <summary>Registers the store.</summary>
internal static class StoreSetup
{
    /// <summary>Name of the store's connection string.</summary>
    public const string ConnectionName = "Notify";

    private const string DefaultSqlite = "Data Source=notify.db";

    // Five tries with five seconds of waiting between them all: a restart. What takes longer is for the bus to try again.
    private const int MaxRetries = 4;

    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(2);

    public static IServiceCollection AddNotifyStore(this IServiceCollection services, IConfiguration configuration)
    {
        var connectionString = configuration.GetConnectionString(ConnectionName);
        services.AddSingleton<SecretCipher>().AddSingleton<EncryptionKeys>();
        return KindOf(configuration) switch
        {
            StoreKind.PostgreSql => services.Add<PostgreSqlNotifyDbContext>(options => options.UseNotifyPostgreSql(connectionString)),
            StoreKind.SqlServer => services.Add<SqlServerNotifyDbContext>(options => options.UseNotifySqlServer(connectionString)),
            _ => services.Add<SqliteNotifyDbContext>(options => options.UseNotifySqlite(
                string.IsNullOrEmpty(connectionString) ? DefaultSqlite : connectionString, MessagingSetup.TransportOf(configuration) == TransportKind.InMemory)),
        };
    }

    /// <summary>The database that is set; a value that names none is the options' to refuse.</summary>
    internal static StoreKind KindOf(IConfiguration configuration) =>
        Enum.TryParse<StoreKind>(configuration[$"{NotifyOptions.Section}:{nameof(NotifyOptions.Store)}"], ignoreCase: true, out var kind) ? kind : StoreKind.Sqlite;

    /// <summary>What is wrong with a connection string for this database; null if nothing is. The string, which holds a password, is not part of the answer.</summary>
    internal static string? FaultOf(StoreKind kind, string? connectionString)
    {
        try
        {
            (bool isComplete, string example) = kind switch
            {
                StoreKind.PostgreSql => (new NpgsqlConnectionStringBuilder(connectionString).Host is { Length: > 0 }, "Host=db;Database=notify;Username=notify;Password=..."),
                StoreKind.SqlServer => (new SqlConnectionStringBuilder(connectionString).DataSource.Length > 0, "Server=db;Database=Notify;User Id=notify;Password=...;Encrypt=true"),
                _ => (new SqliteConnectionStringBuilder(string.IsNullOrEmpty(connectionString) ? DefaultSqlite : connectionString).DataSource.Length > 0, DefaultSqlite),
            };
            return kind == StoreKind.Sqlite && IsInMemory(new SqliteConnectionStringBuilder(connectionString))
                ? $"Notify__Store is {kind}: a database in memory is another one for each connection. Set ConnectionStrings__Notify to a file, such as \"{example}\"."
                : isComplete ? null : $"Notify__Store is {kind}: set ConnectionStrings__Notify, such as \"{example}\".";
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or OverflowException or KeyNotFoundException)
        {
            return $"ConnectionStrings__Notify cannot be read as a connection string of {kind}: another database's, or a keyword that this one does not know?";
        }
    }

    // A name that begins with file: is a URI, with options of its own.
    internal static bool IsInMemory(SqliteConnectionStringBuilder connection) =>
        connection.Mode == SqliteOpenMode.Memory
        || connection.DataSource == ":memory:"
        || (connection.DataSource.StartsWith("file:", StringComparison.OrdinalIgnoreCase)
            && (connection.DataSource.Contains(":memory:", StringComparison.Ordinal) || connection.DataSource.Contains("mode=memory", StringComparison.OrdinalIgnoreCase)));

    /// <summary>Begins to build the model, of all that a start does the longest piece, on another core while the rest is put together. Whoever needs it waits for it there.</summary>
    internal static void BeginStoreModel(this IServiceProvider services) => _ = Task.Run(() =>
    {
        // What goes wrong here goes wrong again where the store is first used, and is told there.
        using var db = services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContext();
        return db.Model;
    });

    internal static DbContextOptionsBuilder UseNotifySqlite(this DbContextOptionsBuilder options, string connectionString, bool busForgets) =>
        options.UseSqlite(connectionString).AddInterceptors(new SqlitePragmas(busForgets));

    internal static DbContextOptionsBuilder UseNotifyPostgreSql(this DbContextOptionsBuilder options, string? connectionString) =>
        options.UseNpgsql(connectionString, npgsql => npgsql.EnableRetryOnFailure(MaxRetries, MaxRetryDelay, errorCodesToAdd: null));

    internal static DbContextOptionsBuilder UseNotifySqlServer(this DbContextOptionsBuilder options, string? connectionString) =>
        options.UseSqlServer(connectionString, sqlServer => sqlServer.EnableRetryOnFailure(MaxRetries, MaxRetryDelay, SqlServerNotifyDbContext.TransientErrors));

    /// <summary>Registers the store as this database has it, under the name that everybody else knows.</summary>
    internal static IServiceCollection Add<TContext>(this IServiceCollection services, Action<DbContextOptionsBuilder> configure)
        where TContext : NotifyDbContext => services
            .AddPooledDbContextFactory<TContext>(options =>
            {
                // Whoever meets the exception tells of it, or waits for the database to come back, and says so once.
                configure(options);
                options.ConfigureWarnings(warnings => warnings.Log(
                    (RelationalEventId.ConnectionError, LogLevel.Debug), (RelationalEventId.TransactionError, LogLevel.Debug), (CoreEventId.QueryIterationFailed, LogLevel.Debug), (CoreEventId.SaveChangesFailed, LogLevel.Debug)));
            })
            .AddSingleton<IDbContextFactory<NotifyDbContext>, Factory<TContext>>()
            .AddScoped<NotifyDbContext>(provider => provider.GetRequiredService<IDbContextFactory<TContext>>().CreateDbContext());

    private sealed class Factory<TContext>(IDbContextFactory<TContext> factory) : IDbContextFactory<NotifyDbContext>
        where TContext : NotifyDbContext
    {
        public NotifyDbContext CreateDbContext() => factory.CreateDbContext();

        public async Task<NotifyDbContext> CreateDbContextAsync(CancellationToken cancellationToken = default) => await factory.CreateDbContextAsync(cancellationToken);
    }
}

/// <summary>For <c>dotnet ef</c>, which generates migrations; see CONTRIBUTING.md.</summary>
internal sealed class DesignTimeFactory : IDesignTimeDbContextFactory<SqliteNotifyDbContext>, IDesignTimeDbContextFactory<PostgreSqlNotifyDbContext>, IDesignTimeDbContextFactory<SqlServerNotifyDbContext>
{
    SqliteNotifyDbContext IDesignTimeDbContextFactory<SqliteNotifyDbContext>.CreateDbContext(string[] args) => new(Options<SqliteNotifyDbContext>(options => options.UseNotifySqlite("Data Source=:memory:", busForgets: true)));

    PostgreSqlNotifyDbContext IDesignTimeDbContextFactory<PostgreSqlNotifyDbContext>.CreateDbContext(string[] args) => new(Options<PostgreSqlNotifyDbContext>(options => options.UseNotifyPostgreSql("Host=nowhere")));

    SqlServerNotifyDbContext IDesignTimeDbContextFactory<SqlServerNotifyDbContext>.CreateDbContext(string[] args) => new(Options<SqlServerNotifyDbContext>(options => options.UseNotifySqlServer("Server=nowhere")));

    private static DbContextOptions<TContext> Options<TContext>(Action<DbContextOptionsBuilder> configure)
        where TContext : DbContext
    {
        var builder = new DbContextOptionsBuilder<TContext>();
        configure(builder);
        return builder.Options;
    }
}
