using Notify.Store;

namespace Notify.Tests.Store;

/// <summary>An empty database that a test may fill.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="ConnectionString">Where it is.</param>
public sealed record TestDatabase(StoreKind Kind, string ConnectionString)
{
    /// <summary>The settings that have the service use it.</summary>
    public string[] Settings => [$"--Notify:Store={Kind}", $"--ConnectionStrings:Notify={ConnectionString}"];
}
