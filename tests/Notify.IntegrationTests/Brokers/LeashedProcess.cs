using System.Diagnostics;

namespace Notify.IntegrationTests.Brokers;

/// <summary>A program of an installation, with a folder of its own, that does not outlive the tests, even where they are killed.</summary>
internal sealed class LeashedProcess : IDisposable
{
    // The leash is the script's stdin: a line is a signal to send, and its end comes with any death of the tests.
    // The mounts go with the script, for it is run in a mount namespace of its own.
    private const string Script = """
        folder=$1 root=$2
        shift 2
        exec 3<&0 2>>"$folder/output"
        if [ -n "$root" ]; then
          mount --bind "$folder" "$root/mnt" && mount --rbind /dev "$root/dev" && mount -t proc proc "$root/proc" || exit
          set -- chroot "$root" "$@"
        fi
        "$@" </dev/null >>"$folder/output" 2>&1 3<&- &
        child=$!
        (
          while read -r signal; do kill -s "$signal" "$child"; done
          trap '' TERM
          kill -s KILL "$child"
          while kill -0 "$child"; do sleep 0.1; done
          rm -rf "$folder"
        ) <&3 >/dev/null 2>&1 &
        leash=$!
        wait "$child"
        code=$?
        kill "$leash"
        exit "$code"
        """;

    private readonly Process _script;

    private LeashedProcess(Process script) => _script = script;

    /// <summary>Whether it has ended, by itself or not.</summary>
    public bool HasExited => _script.HasExited;

    /// <summary>How the program, run by <see cref="Start"/>, sees the folder.</summary>
    public static string FolderSeenFrom(RabbitMqInstallation installation, string folder) => installation.Root.Length == 0 ? folder : "/mnt";

    /// <summary>
    /// Starts a program with no other environment than the given one. Its output goes to the file "output" of the folder; the folder is
    /// deleted when the tests die.
    /// </summary>
    public static LeashedProcess Start(RabbitMqInstallation installation, string folder, string program, IReadOnlyDictionary<string, string> environment)
    {
        // A session of its own keeps out the signals that a terminal or timeout(1) sends to all of the tests' process group.
        string[] command = ["sh", "-c", Script, "sh", folder, installation.Root, program];
        if (installation.Root.Length > 0)
            command = ["unshare", "--mount", .. command];
        var start = new ProcessStartInfo("setsid", command) { RedirectStandardInput = true };
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        start.Environment["LANG"] = "C.UTF-8";
        start.Environment["HOME"] = FolderSeenFrom(installation, folder);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return new LeashedProcess(Process.Start(start)!);
    }

    /// <summary>Sends it a signal ("KILL", "TERM") and waits until it is gone; it may be gone already.</summary>
    public async Task EndAsync(string signal, TimeSpan patience)
    {
        try
        {
            await _script.StandardInput.WriteLineAsync(signal);
            await _script.StandardInput.FlushAsync();
        }
        catch (IOException) when (_script.WaitForExit(patience))
        {
            // It was quicker.
        }
        using var deadline = new CancellationTokenSource(patience);
        await _script.WaitForExitAsync(deadline.Token);
    }

    public void Dispose() => _script.Dispose();
}
