using Notify.Messaging;
using Notify.Store;

namespace Notify;

/// <summary>Section <c>Notify</c>: which bus and which database, and where secrets are.</summary>
public sealed class NotifyOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify";

    /// <summary>The bus; default <see cref="TransportKind.InMemory"/>.</summary>
    public TransportKind Transport { get; set; }

    /// <summary>The database; default <see cref="StoreKind.Sqlite"/>.</summary>
    public StoreKind Store { get; set; }

    /// <summary>
    /// A folder in which each file is a setting: its name the key, such as <c>Notify__Vapid__PrivateKey</c>, its content the value without the line break at its end. No default.
    /// </summary>
    public string? SecretsDirectory { get; set; }
}
