using System.Buffers.Binary;
using System.Text;
using Org.BouncyCastle.Crypto.Agreement;
using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.Engines;
using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Crypto.Modes;
using Org.BouncyCastle.Crypto.Parameters;

namespace Notify.WebPush.Tests.Support;

/// <summary>RFC 8188 and 8291 from the reader's side, written from the RFCs on BouncyCastle alone: it shares no line with the code under test.</summary>
internal static class Aes128GcmDecryptor
{
    private const int TagLength = 16;

    /// <summary>RFC 8188: any record size, any number of records, padding. <paramref name="ikmOf"/> gives the IKM for a key identifier.</summary>
    internal static byte[] Decrypt(byte[] body, Func<byte[], byte[]> ikmOf)
    {
        var salt = body[..16];
        var rs = BinaryPrimitives.ReadUInt32BigEndian(body.AsSpan(16));
        var keyId = body[21..(21 + body[20])];
        if (rs < 18)
        {
            throw new InvalidDataException("rs is less than 18");
        }

        var ikm = ikmOf(keyId);
        var cek = Hkdf(salt, ikm, "Content-Encoding: aes128gcm\0", 16);
        var nonce = Hkdf(salt, ikm, "Content-Encoding: nonce\0", 12);
        var records = body[(21 + keyId.Length)..].Chunk((int)rs).ToList();
        var content = new List<byte>();
        for (var sequence = 0; sequence < records.Count; sequence++)
        {
            var isLast = sequence == records.Count - 1;
            var plaintext = Open(cek, NonceFor(nonce, sequence), records[sequence]);
            var end = Array.FindLastIndex(plaintext, b => b != 0);
            if (end < 0 || plaintext[end] != (isLast ? 2 : 1))
            {
                throw new InvalidDataException("wrong delimiter");
            }

            content.AddRange(plaintext[..end]);
        }

        return [.. content];
    }

    /// <summary>RFC 8291, section 3.4: the IKM of a push message.</summary>
    internal static byte[] Ikm(ECPrivateKeyParameters uaPrivate, byte[] uaPublic, byte[] authSecret, byte[] asPublic)
    {
        var agreement = new ECDHBasicAgreement();
        agreement.Init(uaPrivate);
        var point = uaPrivate.Parameters.Curve.DecodePoint(asPublic);
        var ecdhSecret = agreement.CalculateAgreement(new ECPublicKeyParameters(point, uaPrivate.Parameters)).ToByteArrayUnsigned();
        var padded = new byte[32];
        ecdhSecret.CopyTo(padded, 32 - ecdhSecret.Length);
        return Hkdf(authSecret, padded, [.. Encoding.ASCII.GetBytes("WebPush: info\0"), .. uaPublic, .. asPublic], 32);
    }

    private static byte[] Open(byte[] cek, byte[] nonce, byte[] record)
    {
        var cipher = new GcmBlockCipher(new AesEngine());
        cipher.Init(false, new AeadParameters(new KeyParameter(cek), TagLength * 8, nonce));
        var plaintext = new byte[cipher.GetOutputSize(record.Length)];
        var length = cipher.ProcessBytes(record, 0, record.Length, plaintext, 0);
        cipher.DoFinal(plaintext, length);
        return plaintext;
    }

    private static byte[] NonceFor(byte[] nonce, int sequence)
    {
        var result = (byte[])nonce.Clone();
        var low = BinaryPrimitives.ReadUInt32BigEndian(result.AsSpan(8));
        BinaryPrimitives.WriteUInt32BigEndian(result.AsSpan(8), low ^ (uint)sequence);
        return result;
    }

    private static byte[] Hkdf(byte[] salt, byte[] ikm, string info, int length) => Hkdf(salt, ikm, Encoding.ASCII.GetBytes(info), length);

    private static byte[] Hkdf(byte[] salt, byte[] ikm, byte[] info, int length)
    {
        var hkdf = new HkdfBytesGenerator(new Sha256Digest());
        hkdf.Init(new HkdfParameters(ikm, salt, info));
        var result = new byte[length];
        hkdf.GenerateBytes(result, 0, length);
        return result;
    }
}
