using System.Diagnostics.CodeAnalysis;

namespace Notify.Fuzz;

/// <summary>A find: an input was taken, but not treated as documented.</summary>
public sealed class BrokenPromiseException(string message) : Exception(message)
{
    internal static void ThrowUnless([DoesNotReturnIf(false)] bool isKept, string promise)
    {
        if (!isKept)
        {
            throw new BrokenPromiseException(promise);
        }
    }
}
