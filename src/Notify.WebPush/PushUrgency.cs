namespace Notify.WebPush;

/// <summary>How much a push message matters to the user, which lets a device on battery wait (RFC 8030, section 5.3).</summary>
public enum PushUrgency
{
    /// <summary>"very-low": on power and Wi-Fi; advertisements.</summary>
    VeryLow,

    /// <summary>"low": on either power or Wi-Fi; topic updates.</summary>
    Low,

    /// <summary>"normal": on neither; chat messages. What a push service assumes when nothing is said.</summary>
    Normal,

    /// <summary>"high": on low battery too; incoming calls, time-critical alerts.</summary>
    High,
}
