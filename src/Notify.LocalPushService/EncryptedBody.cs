using System.Buffers.Binary;

namespace Notify.LocalPushService;

/// <summary>The header block of an aes128gcm body: salt 16, rs 4, idlen 1, keyid 65 (RFC 8188, section 2.1; RFC 8291, section 4).</summary>
internal static class EncryptedBody
{
    public const int MaxLength = 4096;
    public const int SaltLength = 16;
    public const int KeyIdOffset = SaltLength + sizeof(uint) + 1;
    public const int KeyIdLength = 65;
    public const int HeaderLength = KeyIdOffset + KeyIdLength;
    public const int TagLength = 16;
    public const int DelimiterLength = 1;

    public static Refusal? Check(ReadOnlySpan<byte> body, bool checkKey)
    {
        if (body.Length < HeaderLength + DelimiterLength + TagLength)
        {
            return Refusal.TooShort;
        }

        // RFC 8188, section 2.1: "values less than 18 are invalid".
        uint recordSize = RecordSize(body);
        if (recordSize < 18)
        {
            return Refusal.BadRecordSize;
        }

        if (body[KeyIdOffset - 1] != KeyIdLength || body[KeyIdOffset] != 4)
        {
            return Refusal.BadKeyId;
        }

        if (body.Length - HeaderLength > recordSize)
        {
            return Refusal.ManyRecords;
        }

        return checkKey && !P256.IsOnCurve(KeyId(body)) ? Refusal.OffCurve : null;
    }

    public static ReadOnlySpan<byte> Salt(ReadOnlySpan<byte> body) => body[..SaltLength];

    public static uint RecordSize(ReadOnlySpan<byte> body) => BinaryPrimitives.ReadUInt32BigEndian(body[SaltLength..]);

    public static ReadOnlySpan<byte> KeyId(ReadOnlySpan<byte> body) => body.Slice(KeyIdOffset, KeyIdLength);
}
