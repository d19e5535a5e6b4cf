using System.Buffers.Text;
using System.Security.Cryptography;
using Notify.LocalPushService;
using Notify.WebPush;
using static Notify.Fuzz.BrokenPromiseException;

namespace Notify.Fuzz;

/// <summary>The body of a push message at the user agent; and, since nobody guesses a tag, the input as content that is encrypted and decrypted.</summary>
internal static class DecryptionTarget
{
    // RFC 8291, section 5, so that its example can be in the corpus.
    private static readonly byte[] UaPublic = Base64Url.DecodeFromChars("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
    private static readonly byte[] AuthSecret = Base64Url.DecodeFromChars("BTBZMqHH6r4Tts7J_aSIgg");
    private static readonly ECDiffieHellman UaKey = ECDiffieHellman.Create(new ECParameters
    {
        Curve = ECCurve.NamedCurves.nistP256,
        Q = new ECPoint { X = UaPublic[1..33], Y = UaPublic[33..] },
        D = Base64Url.DecodeFromChars("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"),
    });

    private static readonly PushSubscription Subscription =
        PushSubscription.Create("https://push.example.net/push/1", Base64Url.EncodeToString(UaPublic), Base64Url.EncodeToString(AuthSecret));

    public static void Run(byte[] input)
    {
        var refusal = EncryptedBody.Check(input, checkKey: true);
        try
        {
            MessageDecryption.Decrypt(UaKey, UaPublic, AuthSecret, input);
            ThrowUnless(refusal is null, "What the push service refuses, the user agent cannot read.");
        }
        catch (CryptographicException)
        {
        }

        var content = input.AsSpan(0, Math.Min(input.Length, PushMessage.MaxContentLength));
        var body = new byte[ContentEncryption.GetEncryptedLength(content.Length)];
        ContentEncryption.Encrypt(Subscription, content, body);
        ThrowUnless(MessageDecryption.Decrypt(UaKey, UaPublic, AuthSecret, body).AsSpan().SequenceEqual(content), "What was encrypted is read back.");
    }
}
