using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using System.Xml.Linq;
using Notify.Tests;

namespace Notify.IntegrationTests.Packages;

/// <summary>The two packages as they are packed for others, and a newcomer's program that has nothing but them.</summary>
public sealed class PackageTests(PackageTests.Feed feed) : IClassFixture<PackageTests.Feed>
{
    private static readonly XNamespace Nuspec = "http://schemas.microsoft.com/packaging/2012/06/nuspec.xsd";

    private static readonly Dictionary<string, string> Folders = new() { ["Notify.Contracts"] = "contracts/Notify.Contracts", ["Notify.WebPush"] = "src/Notify.WebPush" };

    public static TheoryData<string> Packages() => [.. Folders.Keys];

    [Theory]
    [MemberData(nameof(Packages))]
    public async Task A_package_holds_assembly_comments_and_README_and_depends_on_nothing(string id)
    {
        using var package = await ZipFile.OpenReadAsync(feed.Find(id, "nupkg"), TestContext.Current.CancellationToken);
        var metadata = XDocument.Parse(Read(package, $"{id}.nuspec")).Root!.Element(Nuspec + "metadata")!;

        Assert.Equal(
            [$"lib/net10.0/{id}.dll", $"lib/net10.0/{id}.xml", $"{id}.nuspec", "README.md"],
            package.Entries.Select(entry => entry.FullName).Where(name => !name.StartsWith("_rels/", StringComparison.Ordinal) && !name.StartsWith("package/", StringComparison.Ordinal) && name != "[Content_Types].xml").Order(StringComparer.OrdinalIgnoreCase));
        Assert.Equal(["net10.0"], metadata.Element(Nuspec + "dependencies")!.Elements().Select(group => group.Attribute("targetFramework")!.Value));
        Assert.Empty(metadata.Descendants(Nuspec + "dependency"));
        Assert.Equal(("Apache-2.0", "README.md"), (metadata.Element(Nuspec + "license")!.Value, metadata.Element(Nuspec + "readme")!.Value));
        Assert.All(["description", "tags", "authors"], name => Assert.NotEmpty(metadata.Element(Nuspec + name)!.Value));
        Assert.Equal(await File.ReadAllTextAsync(Path.Combine(Repository.Root, Folders[id], "README.md"), TestContext.Current.CancellationToken), Read(package, "README.md"));
        Assert.Contains("<summary>", Read(package, $"lib/net10.0/{id}.xml"), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Packages))]
    public async Task Symbols_lie_in_a_package_of_their_own_and_nothing_tells_where_the_checkout_was(string id)
    {
        using var package = await ZipFile.OpenReadAsync(feed.Find(id, "nupkg"), TestContext.Current.CancellationToken);
        using var symbols = await ZipFile.OpenReadAsync(feed.Find(id, "snupkg"), TestContext.Current.CancellationToken);

        Assert.Contains(symbols.Entries, entry => entry.FullName == $"lib/net10.0/{id}.pdb");
        Assert.All([.. package.Entries, .. symbols.Entries], entry => Assert.DoesNotContain(Repository.Root, Read(entry), StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_newcomer_s_program_builds_on_the_packages_alone_and_runs_without_a_network()
    {
        var folder = feed.Folder.CreateSubdirectory("newcomer").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "nuget.config"), """
            <configuration>
              <packageSources>
                <clear />
                <add key="local" value="../packages" />
              </packageSources>
            </configuration>
            """, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(folder, "Newcomer.csproj"), """
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <RestorePackagesPath>restored</RestorePackagesPath>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="Notify.Contracts" Version="*" />
                <PackageReference Include="Notify.WebPush" Version="*" />
              </ItemGroup>
            </Project>
            """, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(folder, "Program.cs"), $$$"""
            using Notify.Contracts;
            using Notify.WebPush;

            using var pair = VapidKeyPair.Generate();
            var (publicKey, privateKey) = (pair.PublicKey, pair.PrivateKey);
            // The subscription of RFC 8291, section 5, at a port where nobody listens.
            var subscriptionJson = System.Text.Encoding.UTF8.GetBytes("{\"endpoint\":\"http://127.0.0.1:9/push\",\"keys\":{\"p256dh\":\"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4\",\"auth\":\"BTBZMqHH6r4Tts7J_aSIgg\"}}");

            {{{string.Join('\n', Readme.CodeOf("src/Notify.WebPush/README.md"))}}}

            Console.WriteLine($"{outcome.GetType().Name} {new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "Hello" }.Title}");
            """, TestContext.Current.CancellationToken);

        var output = await Feed.DotnetAsync(folder, "run", "--verbosity", "quiet");

        Assert.Equal("RetryLater Hello", output.Trim());
    }

    private static string Read(ZipArchive package, string entry) => Read(package.GetEntry(entry)!);

    private static string Read(ZipArchiveEntry entry)
    {
        using var reader = new StreamReader(entry.Open(), Encoding.UTF8);
        return reader.ReadToEnd();
    }

    /// <summary>A folder with both packages, packed as CI packs them, away from the checkout's own output.</summary>
    public sealed class Feed : IAsyncLifetime
    {
        public DirectoryInfo Folder { get; } = Directory.CreateTempSubdirectory("notify-packages-");

        public async ValueTask InitializeAsync()
        {
            foreach (var project in Folders.Values)
            {
                await DotnetAsync(Repository.Root, "pack", project, "--output", Path.Combine(Folder.FullName, "packages"), "--artifacts-path", Path.Combine(Folder.FullName, "artifacts"), "-p:ContinuousIntegrationBuild=true");
            }
        }

        public string Find(string id, string extension) => Assert.Single(Directory.GetFiles(Path.Combine(Folder.FullName, "packages"), $"{id}.*.{extension}"));

        public static async Task<string> DotnetAsync(string folder, params string[] arguments)
        {
            using var process = Process.Start(new ProcessStartInfo("dotnet", arguments)
            {
                WorkingDirectory = folder,
                RedirectStandardOutput = true,
                RedirectStandardError = true,

                // A server that builds would outlive the test.
                Environment = { ["MSBUILDDISABLENODEREUSE"] = "1", ["UseSharedCompilation"] = "false", ["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0" },
            })!;
            var (output, error) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.True(process.ExitCode == 0, $"dotnet {string.Join(' ', arguments)}: {await output}{await error}");
            return await output;
        }

        public ValueTask DisposeAsync()
        {
            Folder.Delete(recursive: true);
            return ValueTask.CompletedTask;
        }
    }
}
