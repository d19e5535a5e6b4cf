using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using Notify.Store.Encryption;

namespace Notify.Tests.Store.Encryption;

public sealed class SecretCipherTests
{
    private static readonly string Old = NewKey();
    private static readonly string New = NewKey();

    [Fact]
    public void What_is_encrypted_is_read_with_its_key_and_twice_never_looks_the_same()
    {
        var cipher = Cipher(New);

        var (first, second) = (cipher.Encrypt("secret", "Auth/1"), cipher.Encrypt("secret", "Auth/1"));

        Assert.NotEqual(first, second);
        Assert.DoesNotContain("secret", first, StringComparison.Ordinal);
        Assert.StartsWith($"v1.{cipher.CurrentKeyId}.", first, StringComparison.Ordinal);
        Assert.Equal("secret", cipher.Decrypt(first, "Auth/1"));
        Assert.True(cipher.IsCurrent(first));
    }

    [Fact]
    public void The_keys_of_a_user_agent_fit_their_columns()
    {
        var cipher = Cipher(New);

        Assert.InRange(cipher.Encrypt(new string('B', 87), "P256dh").Length, 88, 256);
        Assert.InRange(cipher.Encrypt(new string('a', 22), "Auth").Length, 23, 128);
    }

    [Fact]
    public void Without_a_key_secrets_stay_as_they_are_and_with_one_plain_ones_are_read()
    {
        Assert.Equal("BTBZMqHH6r4Tts7J_aSIgg", SecretCipher.None.Encrypt("BTBZMqHH6r4Tts7J_aSIgg", "Auth/1"));
        Assert.Equal("BTBZMqHH6r4Tts7J_aSIgg", Cipher(New).Decrypt("BTBZMqHH6r4Tts7J_aSIgg", "Auth/1"));
        Assert.True(SecretCipher.None.IsCurrent("plain"));
        Assert.False(Cipher(New).IsCurrent("plain"));
    }

    [Fact]
    public void A_previous_key_reads_and_is_not_written_with()
    {
        var stored = Cipher(Old).Encrypt("secret", "Auth/1");
        var rotated = Cipher(New, Old);

        Assert.Equal("secret", rotated.Decrypt(stored, "Auth/1"));
        Assert.False(rotated.IsCurrent(stored));
        Assert.True(Cipher(New).IsCurrent(rotated.Encrypt("secret", "Auth/1")));
    }

    [Fact]
    public void Another_key_another_place_and_a_changed_text_are_refused()
    {
        var cipher = Cipher(New);
        var stored = cipher.Encrypt("secret", "Auth/1");
        var last = stored[^2] == 'A' ? 'B' : 'A';

        Assert.Throws<SecretCipherException>(() => Cipher(Old).Decrypt(stored, "Auth/1"));
        Assert.Throws<SecretCipherException>(() => SecretCipher.None.Decrypt(stored, "Auth/1"));
        Assert.Throws<SecretCipherException>(() => cipher.Decrypt(stored, "Auth/2"));
        Assert.Throws<SecretCipherException>(() => cipher.Decrypt(stored[..^2] + last + stored[^1], "Auth/1"));
        Assert.Throws<SecretCipherException>(() => cipher.Decrypt(stored[..30], "Auth/1"));
        Assert.Throws<SecretCipherException>(() => cipher.Decrypt(stored[..^1] + "!", "Auth/1"));
    }

    private static string NewKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    private static SecretCipher Cipher(string key, params string[] previous)
    {
        var options = new EncryptionOptions { Key = key };
        foreach (var each in previous)
        {
            options.Previous.Add(each);
        }

        return new SecretCipher(Options.Create(options));
    }
}
