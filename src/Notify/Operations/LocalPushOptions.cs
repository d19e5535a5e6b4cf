namespace Notify.Operations;

/// <summary>Section <c>Notify:LocalPushService</c>.</summary>
public sealed class LocalPushOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify:LocalPushService";

    /// <summary>Where the local push service listens; default <c>http://localhost:5081</c>. Development only.</summary>
    public string Url { get; set; } = "http://localhost:5081";
}
