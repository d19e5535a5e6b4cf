using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Notify.Store;

/// <summary>The name of a lock as databases take it: a number, or a text of bounded length.</summary>
internal static class LockName
{
    public static long NumberOf(string name) => BinaryPrimitives.ReadInt64BigEndian(DigestOf(name));

    public static string TextOf(string name) => Base64Url.EncodeToString(DigestOf(name));

    private static byte[] DigestOf(string name) => SHA256.HashData(Encoding.UTF8.GetBytes(name));
}
