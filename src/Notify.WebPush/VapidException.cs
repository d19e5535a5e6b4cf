namespace Notify.WebPush;

/// <summary>An application server key pair or a subject is not valid. The message says which and what to do, and never repeats a key.</summary>
public sealed class VapidException : Exception
{
    /// <summary>An error with a message fit for the operator's eyes.</summary>
    public VapidException(string message)
        : base(message)
    {
    }
}
