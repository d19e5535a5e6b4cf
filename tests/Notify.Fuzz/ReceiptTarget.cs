using Notify.Deliveries;
using static Notify.Fuzz.BrokenPromiseException;

namespace Notify.Fuzz;

/// <summary>What anybody may post as a service worker's report.</summary>
internal static class ReceiptTarget
{
    public static void Run(byte[] input)
    {
        if (ReceiptsApi.Parse(input) is not var (token, kind, action))
        {
            return;
        }

        ThrowUnless(action is null || (kind == ReceiptKind.Clicked && action.Length is > 0 and <= 256 && !action.Any(char.IsControl)), "An action is short, of plain characters, and that of a click.");
        if (ReceiptTokens.TryRead(token, out _, out _))
        {
            ThrowUnless(token.Length == ReceiptTokens.Length, "A token has one length.");
        }
    }
}
