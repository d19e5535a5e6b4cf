using System.Diagnostics;
using Notify.Tests;
using Tmds.DBus.Protocol;

namespace Notify.IntegrationTests.Browsers;

/// <summary>
/// A D-Bus of its own with a notification service on it (Desktop Notifications Specification 1.2), as every Linux desktop has one: it keeps what applications show, and
/// clicks on it where a person would.
/// </summary>
public sealed class NotificationDaemon : IAsyncDisposable
{
    private const string Name = "org.freedesktop.Notifications";
    private const string ObjectPath = "/org/freedesktop/Notifications";

    private readonly Process _process;
    private readonly DBusConnection _connection;
    private readonly Lock _lock = new();
    private readonly List<Entry> _shown = [];
    private uint _lastId;

    private NotificationDaemon(Process process, string address) => (_process, Address, _connection) = (process, address, new DBusConnection(address));

    /// <summary>Where the bus is, for DBUS_SESSION_BUS_ADDRESS.</summary>
    public string Address { get; }

    /// <summary>What is on the screen, the newest last.</summary>
    public IReadOnlyList<ShownNotification> Shown
    {
        get
        {
            lock (_lock)
            {
                return [.. _shown.Select(entry => entry.Notification)];
            }
        }
    }

    /// <summary>Starts it.</summary>
    /// <param name="program">Path of dbus-daemon.</param>
    /// <param name="ct">Gives up.</param>
    public static async Task<NotificationDaemon> StartAsync(string program, CancellationToken ct)
    {
        var process = Process.Start(new ProcessStartInfo(program, ["--session", "--nofork", "--nosyslog", "--print-address=1"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.BeginErrorReadLine();
        try
        {
            var address = await process.StandardOutput.ReadLineAsync(ct) ?? throw new IOException("dbus-daemon ended before it listened.");
            var daemon = new NotificationDaemon(process, address);
            await daemon._connection.ConnectAsync();
            daemon._connection.AddMethodHandler(new Handler(daemon));
            await daemon._connection.RequestNameAsync(Name, RequestNameOptions.None);
            return daemon;
        }
        catch
        {
            process.Kill();
            throw;
        }
    }

    /// <summary>Waits for a notification, and clicks the newest: itself, or the button with this label.</summary>
    public async Task ClickAsync(string? action)
    {
        await Eventually.TrueAsync(() => Shown.Count > 0);
        Entry newest;
        lock (_lock)
        {
            newest = _shown[^1];
        }

        // Pairs of key and label; the key of the notification itself is "default".
        var key = action is null ? "default" : newest.Actions.Chunk(2).Single(pair => pair[1] == action)[0];
        Signal("ActionInvoked", "us", (ref MessageWriter writer) =>
        {
            writer.WriteUInt32(newest.Id);
            writer.WriteString(key);
        });
    }

    public async ValueTask DisposeAsync()
    {
        _connection.Dispose();
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private uint Show(uint replaces, ShownNotification notification, string[] actions)
    {
        lock (_lock)
        {
            var id = replaces > 0 ? replaces : ++_lastId;
            _shown.RemoveAll(shown => shown.Id == id);
            _shown.Add(new Entry(id, notification, actions));
            return id;
        }
    }

    private void Close(uint id)
    {
        lock (_lock)
        {
            _shown.RemoveAll(shown => shown.Id == id);
        }

        const uint ByTheApplication = 3;
        Signal("NotificationClosed", "uu", (ref MessageWriter writer) =>
        {
            writer.WriteUInt32(id);
            writer.WriteUInt32(ByTheApplication);
        });
    }

    private delegate void Write(ref MessageWriter writer);

    private void Signal(string member, string signature, Write write)
    {
        var writer = _connection.GetMessageWriter();
        try
        {
            writer.WriteSignalHeader(null, ObjectPath, Name, member, signature);
            write(ref writer);
            _connection.TrySendMessage(writer.CreateMessage());
        }
        finally
        {
            writer.Dispose();
        }
    }

    private sealed record Entry(uint Id, ShownNotification Notification, string[] Actions);

    private sealed class Handler(NotificationDaemon daemon) : IPathMethodHandler
    {
        public string Path => ObjectPath;

        public bool HandlesChildPaths => false;

        public ValueTask HandleMethodAsync(MethodContext context)
        {
            var reader = context.Request.GetBodyReader();
            switch (context.Request.MemberAsString)
            {
                case "Notify":
                    var (_, replaces, _, title, body) = (reader.ReadString(), reader.ReadUInt32(), reader.ReadString(), reader.ReadString(), reader.ReadString());
                    var id = daemon.Show(replaces, new ShownNotification(title, body), reader.ReadArrayOfString());
                    Reply(context, "u", (ref MessageWriter writer) => writer.WriteUInt32(id));
                    break;
                case "CloseNotification":
                    daemon.Close(reader.ReadUInt32());
                    Reply(context, null, (ref MessageWriter writer) => { });
                    break;
                case "GetCapabilities":
                    Reply(context, "as", (ref MessageWriter writer) => writer.WriteArray((string[])["actions", "body", "persistence"]));
                    break;
                case "GetServerInformation":
                    Reply(context, "ssss", (ref MessageWriter writer) =>
                    {
                        foreach (var text in (string[])["notify-tests", "Notify", "1", "1.2"])
                        {
                            writer.WriteString(text);
                        }
                    });
                    break;
                default:
                    context.ReplyUnknownMethodError();
                    break;
            }

            return default;
        }

        private static void Reply(MethodContext context, string? signature, Write write)
        {
            var writer = context.CreateReplyWriter(signature);
            try
            {
                write(ref writer);
                context.Reply(writer.CreateMessage());
            }
            finally
            {
                writer.Dispose();
            }
        }
    }
}
