using System.Text;
using System.Text.Encodings.Web;

namespace Notify.Fanout;

/// <summary>
/// Writes JSON strings as <see cref="JavaScriptEncoder.UnsafeRelaxedJsonEscaping"/> does, but for characters beyond U+FFFF, such as emoji: these stand for themselves, with four bytes of
/// UTF-8 in place of twelve. Every encoder of .NET's own escapes them, and a push message has no room to spare.
/// </summary>
internal sealed unsafe class WholeCharactersEncoder : JavaScriptEncoder
{
    private static readonly JavaScriptEncoder Relaxed = UnsafeRelaxedJsonEscaping;

    public override int MaxOutputCharactersPerInputCharacter => Relaxed.MaxOutputCharactersPerInputCharacter;

    public override bool WillEncode(int unicodeScalar) => unicodeScalar <= char.MaxValue && Relaxed.WillEncode(unicodeScalar);

    public override int FindFirstCharacterToEncode(char* text, int textLength)
    {
        var characters = new ReadOnlySpan<char>(text, textLength);
        for (var at = 0; at < textLength;)
        {
            // Half a character is for the encoder to replace.
            if (Rune.DecodeFromUtf16(characters[at..], out var character, out var length) != System.Buffers.OperationStatus.Done || WillEncode(character.Value))
            {
                return at;
            }

            at += length;
        }

        return -1;
    }

    public override bool TryEncodeUnicodeScalar(int unicodeScalar, char* buffer, int bufferLength, out int numberOfCharactersWritten) =>
        Relaxed.TryEncodeUnicodeScalar(unicodeScalar, buffer, bufferLength, out numberOfCharactersWritten);
}
