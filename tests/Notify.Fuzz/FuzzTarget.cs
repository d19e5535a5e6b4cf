namespace Notify.Fuzz;

/// <summary>Code that meets bytes from outside. A target returns, or throws what nobody has promised: that is a find.</summary>
/// <param name="Name">Its name on the command line and of its folder in <c>corpus</c>.</param>
/// <param name="Run">Feeds it one input, and checks what is promised of the outcome.</param>
internal sealed record FuzzTarget(string Name, Action<byte[]> Run)
{
    public static readonly IReadOnlyList<FuzzTarget> All =
    [
        new("subscription", SubscriptionTarget.Run),
        new("retry-after", RetryAfterTarget.Run),
        new("plain-json", PlainJsonTarget.Run),
        new("receipt", ReceiptTarget.Run),
        new("decryption", DecryptionTarget.Run),
        new("vapid", VapidTarget.Run),
    ];

    public static FuzzTarget? Find(string name) => All.SingleOrDefault(target => target.Name == name);
}
