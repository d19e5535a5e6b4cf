using Notify.Messaging;
using Notify.Store;

namespace Notify;

/// <summary>Section <c>Notify</c>: which bus and which database.</summary>
public sealed class NotifyOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify";

    /// <summary>The bus; default <see cref="TransportKind.InMemory"/>.</summary>
    public TransportKind Transport { get; set; }

    /// <summary>The database; default <see cref="StoreKind.Sqlite"/>.</summary>
    public StoreKind Store { get; set; }
}
