using Notify.WebPush;

namespace Notify.Sending;

/// <summary>What is wrong with VAPID settings, in words.</summary>
internal static class VapidFaults
{
    /// <summary>Null if the subject can be used.</summary>
    public static string? OfSubject(string subject)
    {
        try
        {
            _ = new VapidTokens(subject, TimeProvider.System);
            return null;
        }
        catch (VapidException exception)
        {
            return exception.Message;
        }
    }

    /// <summary>Null if the pair can be used.</summary>
    public static string? OfPair(string publicKey, string privateKey)
    {
        try
        {
            VapidKeyPair.Import(publicKey, privateKey).Dispose();
            return null;
        }
        catch (VapidException exception)
        {
            return exception.Message;
        }
    }
}
