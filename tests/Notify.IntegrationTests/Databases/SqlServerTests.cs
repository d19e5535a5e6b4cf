using Notify.Tests;
using Notify.Tests.Messaging.Outbox;
using Notify.Tests.Sending;
using Notify.Tests.Store;
using Notify.Tests.Store.Encryption;
using Notify.Tests.Subscriptions;

namespace Notify.IntegrationTests.Databases;

/// <summary>The store's tests on SQL Server.</summary>
public sealed class SqlServerStoreTests(SharedDatabases databases) : StoreTests
{
    /// <inheritdoc />
    protected override Task<TestDatabase?> NewDatabaseAsync() => databases.NewSqlServerAsync();
}

/// <summary>The waiting lines' tests on SQL Server.</summary>
public sealed class SqlServerWaitingLinesTests(SharedDatabases databases) : WaitingLinesTests
{
    /// <inheritdoc />
    protected override Task<TestDatabase?> NewDatabaseAsync() => databases.NewSqlServerAsync();
}

/// <summary>The outbox' tests on SQL Server.</summary>
public sealed class SqlServerOutboxTests(SharedDatabases databases) : OutboxTests
{
    /// <inheritdoc />
    protected override Task<TestDatabase?> NewDatabaseAsync() => databases.NewSqlServerAsync();
}

/// <summary>Those who change subscriptions at once, on SQL Server.</summary>
public sealed class SqlServerSubscriptionRegistryTests(SharedDatabases databases) : SubscriptionRegistryTests
{
    /// <inheritdoc />
    protected override Task<TestDatabase?> NewDatabaseAsync() => databases.NewSqlServerAsync();
}

/// <summary>The whole way on SQL Server.</summary>
public sealed class SqlServerMainWayTests(SharedDatabases databases) : MainWayTests
{
    /// <inheritdoc />
    protected override Task<TestDatabase?> NewDatabaseAsync() => databases.NewSqlServerAsync();
}

/// <summary>Secrets in SQL Server.</summary>
public sealed class SqlServerEncryptionTests(SharedDatabases databases) : EncryptionTests
{
    /// <inheritdoc />
    protected override Task<TestDatabase?> NewDatabaseAsync() => databases.NewSqlServerAsync();
}
