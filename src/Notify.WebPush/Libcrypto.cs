using System.Runtime.InteropServices;

namespace Notify.WebPush;

/// <summary>Calls of OpenSSL's libcrypto: public ones, none of them deprecated (OpenSSL 3, man EC_POINT_new, EC_POINT_add, BN_bin2bn, EVP_MAC, EVP_EncryptInit, OSSL_PARAM_BLD).</summary>
internal static partial class Libcrypto
{
    private const string Library = "libcrypto.so.3";

    [LibraryImport(Library)]
    internal static partial nint EC_GROUP_new_by_curve_name(int nid);

    [LibraryImport(Library)]
    internal static partial void EC_GROUP_free(nint group);

    [LibraryImport(Library)]
    internal static partial nint EC_POINT_new(nint group);

    [LibraryImport(Library)]
    internal static partial void EC_POINT_clear_free(nint point);

    [LibraryImport(Library)]
    internal static partial int EC_POINT_oct2point(nint group, nint point, ReadOnlySpan<byte> octets, nuint length, nint numbers);

    [LibraryImport(Library)]
    internal static partial nuint EC_POINT_point2oct(nint group, nint point, int form, Span<byte> octets, nuint length, nint numbers);

    /// <summary>result = generatorScalar · G + pointScalar · point; null leaves a summand out.</summary>
    [LibraryImport(Library)]
    internal static partial int EC_POINT_mul(nint group, nint result, nint generatorScalar, nint point, nint pointScalar, nint numbers);

    [LibraryImport(Library)]
    internal static partial nint BN_CTX_new();

    [LibraryImport(Library)]
    internal static partial void BN_CTX_free(nint numbers);

    [LibraryImport(Library)]
    internal static partial nint BN_new();

    [LibraryImport(Library)]
    internal static partial nint BN_bin2bn(ReadOnlySpan<byte> bytes, int length, nint number);

    [LibraryImport(Library)]
    internal static partial void BN_clear(nint number);

    [LibraryImport(Library)]
    internal static partial void BN_clear_free(nint number);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint EVP_MAC_fetch(nint library, string algorithm, string? properties);

    [LibraryImport(Library)]
    internal static partial void EVP_MAC_free(nint algorithm);

    [LibraryImport(Library)]
    internal static partial nint EVP_MAC_CTX_new(nint algorithm);

    [LibraryImport(Library)]
    internal static partial int EVP_MAC_CTX_set_params(nint mac, nint parameters);

    [LibraryImport(Library)]
    internal static partial void EVP_MAC_CTX_free(nint mac);

    [LibraryImport(Library)]
    internal static partial int EVP_MAC_init(nint mac, ReadOnlySpan<byte> key, nuint length, nint parameters);

    [LibraryImport(Library)]
    internal static partial int EVP_MAC_update(nint mac, ReadOnlySpan<byte> data, nuint length);

    [LibraryImport(Library)]
    internal static partial int EVP_MAC_final(nint mac, Span<byte> destination, out nuint length, nuint size);

    [LibraryImport(Library)]
    internal static partial nint OSSL_PARAM_BLD_new();

    [LibraryImport(Library)]
    internal static partial int OSSL_PARAM_BLD_push_utf8_string(nint builder, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, nuint size);

    [LibraryImport(Library)]
    internal static partial nint OSSL_PARAM_BLD_to_param(nint builder);

    [LibraryImport(Library)]
    internal static partial void OSSL_PARAM_BLD_free(nint builder);

    [LibraryImport(Library)]
    internal static partial void OSSL_PARAM_free(nint parameters);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint EVP_CIPHER_fetch(nint library, string algorithm, string? properties);

    [LibraryImport(Library)]
    internal static partial void EVP_CIPHER_free(nint cipher);

    [LibraryImport(Library)]
    internal static partial nint EVP_CIPHER_CTX_new();

    [LibraryImport(Library)]
    internal static partial int EVP_CIPHER_CTX_reset(nint context);

    [LibraryImport(Library)]
    internal static partial void EVP_CIPHER_CTX_free(nint context);

    [LibraryImport(Library)]
    internal static partial int EVP_CIPHER_CTX_ctrl(nint context, int type, int argument, Span<byte> value);

    [LibraryImport(Library)]
    internal static partial int EVP_EncryptInit_ex2(nint context, nint cipher, ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, nint parameters);

    [LibraryImport(Library)]
    internal static partial int EVP_EncryptUpdate(nint context, Span<byte> destination, out int length, ReadOnlySpan<byte> source, int sourceLength);

    [LibraryImport(Library)]
    internal static partial int EVP_EncryptFinal_ex(nint context, Span<byte> destination, out int length);

    [LibraryImport(Library)]
    internal static partial void ERR_clear_error();
}
