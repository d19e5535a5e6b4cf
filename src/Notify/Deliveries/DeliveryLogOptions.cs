using System.ComponentModel.DataAnnotations;

namespace Notify.Deliveries;

/// <summary>Section <c>Notify:DeliveryLog</c>.</summary>
public sealed class DeliveryLogOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify:DeliveryLog";

    /// <summary>Whether it is written down what becomes of each push; default true. Where false, nothing can be asked after, and bus events alone tell.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>How long it is kept what became of a push, 1 minute to 10 years; default 7 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00")]
    public TimeSpan KeepFor { get; set; } = TimeSpan.FromDays(7);

    /// <summary>Whether service workers report that a push was displayed or clicked; default true. Where false, no push carries a receipt token.</summary>
    public bool Receipts { get; set; } = true;
}
