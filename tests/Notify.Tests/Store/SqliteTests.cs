using Notify.Tests.Messaging.Outbox;
using Notify.Tests.Sending;
using Notify.Tests.Subscriptions;

namespace Notify.Tests.Store;

/// <summary>The store's tests on SQLite.</summary>
public sealed class SqliteStoreTests : StoreTests;

/// <summary>The waiting lines' tests on SQLite.</summary>
public sealed class SqliteWaitingLinesTests : WaitingLinesTests;

/// <summary>The outbox' tests on SQLite.</summary>
public sealed class SqliteOutboxTests : OutboxTests;

/// <summary>Those who change subscriptions at once, on SQLite.</summary>
public sealed class SqliteSubscriptionRegistryTests : SubscriptionRegistryTests;

/// <summary>The whole way on SQLite.</summary>
public sealed class SqliteMainWayTests : MainWayTests;

/// <summary>Secrets in SQLite.</summary>
public sealed class SqliteEncryptionTests : Encryption.EncryptionTests;
