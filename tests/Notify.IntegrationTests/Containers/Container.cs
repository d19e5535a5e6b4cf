namespace Notify.IntegrationTests.Containers;

/// <summary>
/// A service of the compose file that is run from the unpacked image, as a container engine would: (1) a root that cannot be written to, with this machine's files for the base image's, (2) what the
/// compose file mounts, (3) the image's user, without capabilities and ways to new ones, (4) the image's variables, and the compose file's over them. The network is the machine's, where the other
/// services' names are loopback's.
/// </summary>
internal sealed class Container(PublishedImage image, ComposeFile compose, SecretFiles secrets) : IDisposable
{
    private const string Script = """
        set -e
        root=$1 files=$2 secrets=$3 hosts=$4 user=$5
        shift 5
        # (1) On a file system of its own, since layers must not lie within each other. Without an upper one nothing is written.
        mount -t tmpfs tmpfs "$root"
        cp -a "$files" "$root/files"
        mkdir "$root/container"
        mount -t overlay overlay -o "lowerdir=$root/files:/" "$root/container"
        cd "$root/container"
        mount --rbind /dev dev
        mount -t proc proc proc
        # (2)
        mount -t tmpfs tmpfs tmp -o mode=1777
        mount -t tmpfs tmpfs run -o mode=755
        cp -a "$secrets" run/secrets
        mount --bind "$hosts" etc/hosts
        # (3)
        exec chroot . setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("notify-container-");

    /// <summary>The port in the container that the service listens on.</summary>
    public int Port { get; init; }

    /// <summary>The command that runs a service, and becomes it.</summary>
    /// <param name="name">The service.</param>
    /// <param name="changes">Variables that this machine needs otherwise.</param>
    /// <param name="arguments">For the program, instead of those of the compose file.</param>
    public string[] Command(string name, IEnumerable<KeyValuePair<string, string>> changes, params string[] arguments)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            const string reason = "A container is mounted by hand: run the tests as root";
            if (Environment.GetEnvironmentVariable("NOTIFY_TEST_REQUIRE_ALL") == "1")
            {
                Assert.Fail(reason);
            }

            Assert.Skip(reason);
        }

        var service = compose.Services[name];
        string[] hardened = [(string)service.Json["cap_drop"]![0]!, (string)service.Json["security_opt"]![0]!, (string)service.Json["tmpfs"]![0]!];
        Assert.Equal(["ALL", "no-new-privileges:true", "/tmp"], hardened);
        Assert.True((bool)service.Json["read_only"]!);
        Assert.Null(service.Json["user"]);

        var own = _folder.CreateSubdirectory($"{name}-{Guid.NewGuid():N}");
        var (root, mounted, hosts) = (own.CreateSubdirectory("root"), own.CreateSubdirectory("secrets"), Path.Combine(own.FullName, "hosts"));
        File.WriteAllText(hosts, $"127.0.0.1 localhost {string.Join(' ', compose.Services.Keys)}\n");
        if (!OperatingSystem.IsWindows())
        {
            // As the engine makes it; the files' own modes are kept.
            File.SetUnixFileMode(mounted.FullName, (UnixFileMode)0b111_101_101);
        }

        foreach (var secret in service.Secrets)
        {
            File.Copy(Path.Combine(secrets.Folder, Path.GetFileName(compose.Secrets[secret])), Path.Combine(mounted.FullName, secret));
        }

        var variables = image.Config.GetProperty("Env").EnumerateArray().Select(variable => variable.GetString()!.Split('=', 2)).ToDictionary(variable => variable[0], variable => variable[1]);
        foreach (var (variable, value) in service.Environment.Concat(changes).Append(new("ASPNETCORE_HTTP_PORTS", $"{Port}")))
        {
            variables[variable] = value;
        }

        return
        [
            "unshare", "--mount", "sh", "-c", Script, "sh", root.FullName, image.Files, mounted.FullName, hosts, image.Config.GetProperty("User").GetString()!,
            "env", "-i", "-C", image.Config.GetProperty("WorkingDir").GetString()!, .. variables.Select(variable => $"{variable.Key}={variable.Value}"),
            .. image.Config.GetProperty("Entrypoint").EnumerateArray().Select(word => word.GetString()!), .. arguments is [] ? service.Command : arguments,
        ];
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
