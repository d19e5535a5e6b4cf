using Notify.Tests;
using Notify.Tests.Messaging.Outbox;
using Notify.Tests.Sending;
using Notify.Tests.Store;
using Notify.Tests.Store.Encryption;
using Notify.Tests.Subscriptions;

namespace Notify.IntegrationTests.Databases;

/// <summary>The store's tests on PostgreSQL.</summary>
public sealed class PostgreSqlStoreTests(SharedDatabases databases) : StoreTests
{
    /// <inheritdoc />
    protected override Task<TestDatabase?> NewDatabaseAsync() => databases.NewPostgreSqlAsync();
}

/// <summary>The waiting lines' tests on PostgreSQL.</summary>
public sealed class PostgreSqlWaitingLinesTests(SharedDatabases databases) : WaitingLinesTests
{
    /// <inheritdoc />
    protected override Task<TestDatabase?> NewDatabaseAsync() => databases.NewPostgreSqlAsync();
}

/// <summary>The outbox' tests on PostgreSQL.</summary>
public sealed class PostgreSqlOutboxTests(SharedDatabases databases) : OutboxTests
{
    /// <inheritdoc />
    protected override Task<TestDatabase?> NewDatabaseAsync() => databases.NewPostgreSqlAsync();
}

/// <summary>Those who change subscriptions at once, on PostgreSQL.</summary>
public sealed class PostgreSqlSubscriptionRegistryTests(SharedDatabases databases) : SubscriptionRegistryTests
{
    /// <inheritdoc />
    protected override Task<TestDatabase?> NewDatabaseAsync() => databases.NewPostgreSqlAsync();
}

/// <summary>The whole way on PostgreSQL.</summary>
public sealed class PostgreSqlMainWayTests(SharedDatabases databases) : MainWayTests
{
    /// <inheritdoc />
    protected override Task<TestDatabase?> NewDatabaseAsync() => databases.NewPostgreSqlAsync();
}

/// <summary>Secrets in PostgreSQL.</summary>
public sealed class PostgreSqlEncryptionTests(SharedDatabases databases) : EncryptionTests
{
    /// <inheritdoc />
    protected override Task<TestDatabase?> NewDatabaseAsync() => databases.NewPostgreSqlAsync();
}
