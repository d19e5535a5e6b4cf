using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Notify.IntegrationTests.Containers;

/// <summary>
/// A registry on loopback that holds one image: it says of itself what .NET's base image does (the Dockerfiles of dotnet/dotnet-docker), and
/// has none of its files. Of the distribution API it has the pulling.
/// </summary>
internal sealed class BaseImageRegistry : IAsyncDisposable
{
    private const string ManifestType = "application/vnd.docker.distribution.manifest.v2+json";

    private static readonly string[] Variables = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "APP_UID=1654", "ASPNETCORE_HTTP_PORTS=8080", "DOTNET_RUNNING_IN_CONTAINER=true"];

    private readonly Dictionary<string, (byte[] Content, string Type)> _blobs = [];
    private readonly byte[] _manifest;
    private readonly WebApplication _app;

    private BaseImageRegistry()
    {
        // An empty tar file: its end alone.
        var layer = new byte[1024];
        var config = JsonSerializer.SerializeToUtf8Bytes(new
        {
            architecture = RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "amd64",
            os = "linux",
            config = new { Env = Variables },
            rootfs = new { type = "layers", diff_ids = new[] { DigestOf(layer) } },
            history = new[] { new { created_by = "stand-in" } },
        });
        _manifest = JsonSerializer.SerializeToUtf8Bytes(new
        {
            schemaVersion = 2,
            mediaType = ManifestType,
            config = Add(config, "application/vnd.docker.container.image.v1+json"),
            layers = new[] { Add(Compressed(layer), "application/vnd.docker.image.rootfs.diff.tar.gzip") },
        });

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.MapGet("/v2/", () => Results.Ok());
        _app.MapMethods("/v2/dotnet/aspnet/manifests/{reference}", ["GET", "HEAD"], () => Results.Bytes(_manifest, ManifestType));
        _app.MapGet("/v2/dotnet/aspnet/blobs/{digest}", (string digest) =>
            _blobs.TryGetValue(digest, out var blob) ? Results.Bytes(blob.Content, blob.Type) : Results.NotFound());
    }

    /// <summary>The image's name, as docker and the SDK take it.</summary>
    public string Image => $"localhost:{new Uri(_app.Urls.First()).Port}/dotnet/aspnet:10.0";

    public static async Task<BaseImageRegistry> StartAsync(CancellationToken ct)
    {
        var registry = new BaseImageRegistry();
        await registry._app.StartAsync(ct);
        return registry;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private object Add(byte[] content, string type)
    {
        var digest = DigestOf(content);
        _blobs[digest] = (content, type);
        return new { mediaType = type, digest, size = content.Length };
    }

    private static string DigestOf(byte[] content) => $"sha256:{Convert.ToHexStringLower(SHA256.HashData(content))}";

    private static byte[] Compressed(byte[] content)
    {
        using var buffer = new MemoryStream();
        using (var gzip = new GZipStream(buffer, CompressionLevel.Fastest))
        {
            gzip.Write(content);
        }

        return buffer.ToArray();
    }
}
