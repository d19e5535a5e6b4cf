using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;
using Notify.IntegrationTests.Containers;
using Notify.Tests;

[assembly: AssemblyFixture(typeof(PublishedImage))]

namespace Notify.IntegrationTests.Containers;

/// <summary>
/// The service's image, as <c>dotnet publish</c> makes it, unpacked: made when first asked for, gone with the run. What it was built from stays in the checkout's artifacts folder, so that the next one is
/// quick. A test class gets it as a parameter of its constructor.
/// </summary>
public sealed class PublishedImage : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("notify-image-");
    private readonly Lazy<Task<PublishedImage>> _published;

    /// <summary>Makes nothing yet.</summary>
    public PublishedImage() => _published = new(PublishAsync);

    /// <summary>The names that it is loaded under.</summary>
    public IReadOnlyList<string> Tags { get; private set; } = [];

    /// <summary>What its configuration says of how to run it.</summary>
    public JsonElement Config { get; private set; }

    /// <summary>The folder that holds the files which it adds to its base image.</summary>
    public string Files => Path.Combine(_folder.FullName, "files");

    /// <summary>The image, once it is made.</summary>
    public Task<PublishedImage> GetAsync() => _published.Value;

    public void Dispose() => _folder.Delete(recursive: true);

    private async Task<PublishedImage> PublishAsync()
    {
        // Not for the one test that came first.
        var ct = CancellationToken.None;
        var archive = Path.Combine(_folder.FullName, "image.tar");
        await using (var registry = await BaseImageRegistry.StartAsync(ct))
        {
            await RunAsync(
                "dotnet", "publish", Path.Combine(Repository.Root, "src", "Notify"), "--os", "linux", "/t:PublishContainer", $"-p:ContainerBaseImage={registry.Image}",
                $"-p:ContainerArchiveOutputPath={archive}", "--artifacts-path", Path.Combine(Repository.Root, "artifacts", "image"), "-nodeReuse:false", "-p:UseSharedCompilation=false");
        }

        var unpacked = Directory.CreateDirectory(Path.Combine(_folder.FullName, "archive")).FullName;
        await TarFile.ExtractToDirectoryAsync(archive, unpacked, overwriteFiles: false, ct);
        var manifest = JsonSerializer.Deserialize<Manifest[]>(await File.ReadAllTextAsync(Path.Combine(unpacked, "manifest.json"), ct))!.Single();
        Tags = manifest.RepoTags;
        Config = JsonElement.Parse(await File.ReadAllTextAsync(Path.Combine(unpacked, manifest.Config), ct)).GetProperty("config");

        // The folder becomes the container's root, where everybody may look.
        Directory.CreateDirectory(Files);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Files, (UnixFileMode)0b111_101_101);
        }

        await using var compressed = File.OpenRead(Path.Combine(unpacked, manifest.Layers[^1]));
        await using var tar = new GZipStream(compressed, CompressionMode.Decompress);
        await TarFile.ExtractToDirectoryAsync(tar, Files, overwriteFiles: false, ct);
        return this;
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{await output}\n{await error}");
    }

    /// <summary>What is in a file of images, as docker loads it.</summary>
    private sealed record Manifest(string Config, string[] RepoTags, string[] Layers);
}
