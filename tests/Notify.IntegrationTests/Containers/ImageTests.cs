using System.Globalization;
using System.Reflection.PortableExecutable;

namespace Notify.IntegrationTests.Containers;

/// <summary>What <c>dotnet publish src/Notify --os linux /t:PublishContainer</c> makes.</summary>
public sealed class ImageTests(PublishedImage published)
{
    [Fact]
    public async Task The_image_runs_the_service_as_a_user_that_is_not_root_on_the_port_that_the_compose_file_publishes()
    {
        var config = (await published.GetAsync()).Config;
        var service = ComposeFile.Read().Services["notify"];

        Assert.True(int.Parse(config.GetProperty("User").GetString()!, CultureInfo.InvariantCulture) > 0);
        Assert.Equal(["dotnet", "/app/Notify.dll"], config.GetProperty("Entrypoint").EnumerateArray().Select(word => word.GetString()));
        Assert.Equal("/app/", config.GetProperty("WorkingDir").GetString());
        var port = Assert.Single(config.GetProperty("ExposedPorts").EnumerateObject()).Name;
        Assert.Equal($"{Assert.Single(service.Ports)[2]}/tcp", port);
        Assert.Contains($"ASPNETCORE_HTTP_PORTS={port.Split('/')[0]}", config.GetProperty("Env").EnumerateArray().Select(variable => variable.GetString()));
    }

    [Fact]
    public async Task The_image_is_named_as_the_compose_file_names_it_and_says_what_it_is()
    {
        var image = await published.GetAsync();

        Assert.Contains($"{(string)ComposeFile.Read().Services["notify"].Json["image"]!}:latest", image.Tags);
        var version = typeof(NotifyApplication).Assembly.GetName().Version!.ToString(3);
        Assert.Contains($"notify:{version}", image.Tags);
        var labels = image.Config.GetProperty("Labels");
        Assert.Equal(version, labels.GetProperty("org.opencontainers.image.version").GetString());
        Assert.Equal("Apache-2.0", labels.GetProperty("org.opencontainers.image.licenses").GetString());
        Assert.NotEmpty(labels.GetProperty("org.opencontainers.image.description").GetString()!);
    }

    [Fact]
    public async Task What_starts_is_compiled_ahead_of_time_and_readable_for_every_user()
    {
        var files = (await published.GetAsync()).Files;

        foreach (var name in new[] { "Notify.dll", "MassTransit.dll", "Microsoft.EntityFrameworkCore.dll" })
        {
            using var assembly = new PEReader(File.OpenRead(Path.Combine(files, "app", name)));
            Assert.True(assembly.PEHeaders.CorHeader!.ManagedNativeHeaderDirectory.Size > 0, name);
        }

        foreach (var path in Directory.EnumerateFiles(files, "*", SearchOption.AllDirectories))
        {
            Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(path).HasFlag(UnixFileMode.OtherRead), path);
            Assert.False(path.Contains("secrets", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".db", StringComparison.Ordinal), path);
        }
    }
}
