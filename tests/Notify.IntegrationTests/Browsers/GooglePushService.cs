using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Notify.LocalPushService;

namespace Notify.IntegrationTests.Browsers;

/// <summary>
/// Google's part in Chromium's push messages, on this machine: a device checks in, registers for an application server's key, and holds a TLS connection over which the
/// messages come (the Mobile Connection Server's protocol, Chromium's google_apis/gcm/protocol/mcs.proto). Application servers post to https://jmt17.google.com, which
/// Debian's Chromium names as it has no keys of Google's; they are led here, and a <see cref="LocalPushServer"/> takes their messages, as strict as ever.
/// </summary>
public sealed class GooglePushService : IAsyncDisposable
{
    /// <summary>What Chromium makes its endpoints with.</summary>
    public const string Origin = "https://jmt17.google.com";

    private const ulong DeviceId = 0x0123456789abcdef;
    private const ulong SecurityToken = 0x0fedcba987654321;

    private readonly X509Certificate2 _certificate = MakeCertificate();
    private readonly ConcurrentDictionary<string, Registration> _registrations = new();
    private readonly HttpClient _http = new();
    private readonly Lock _lock = new();
    private readonly List<Message> _stored = [];
    private readonly HashSet<string> _salts = [];
    private readonly LocalPushServer _pushService;
    private readonly LocalUserAgent _userAgent;
    private readonly WebApplication _application;
    private readonly Task _receiving;

    // Of one device: it may open a connection while it gives another up, and which of the two logs in first here is chance.
    private readonly Dictionary<ConnectionContext, Channel<Message>> _connections = [];
    private long _lastMessage;

    private GooglePushService(LocalPushServer pushService, LocalUserAgent userAgent)
    {
        // What it takes in goes to the browser as it is.
        userAgent.Decrypts = false;
        (_pushService, _userAgent) = (pushService, userAgent);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0);
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(_certificate));
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.UseHttps(_certificate);
                listen.Run(ServeDeviceAsync);
            });
        });
        _application = builder.Build();
        _application.MapPost("/checkin", CheckIn);
        _application.MapPost("/register", RegisterAsync);
        _application.MapPost("/fcm/send/{token}", PassOnAsync);

        // Endpoints of simulated user agents.
        _application.MapPost("/push/{token}", PassOnAsync);
        _receiving = ReceiveAsync();
    }

    /// <summary>For --gcm-checkin-url.</summary>
    public Uri CheckinUrl => new(AddressOf(0), "checkin");

    /// <summary>For --gcm-registration-url.</summary>
    public Uri RegistrationUrl => new(AddressOf(0), "register");

    /// <summary>For --gcm-mcs-endpoint.</summary>
    public Uri ConnectionUrl => new UriBuilder(AddressOf(2)) { Host = "localhost" }.Uri;

    /// <summary>Whether a device may connect; it loses its connection when it may no longer, and is not answered when it registers.</summary>
    public bool IsReachable
    {
        get;
        set
        {
            lock (_lock)
            {
                field = value;
                if (value)
                    return;
                foreach (var connection in _connections.Keys.ToList())
                    connection.Abort();
            }
        }
    } = true;

    /// <summary>Push messages that came.</summary>
    public int Received { get; private set; }

    /// <summary>Push messages encrypted with a salt that one before had too; one salt, one message (RFC 8188, section 2.1).</summary>
    public int RepeatedSalts { get; private set; }

    /// <summary>Starts it before a push service whose <see cref="LocalPushServiceOptions.Origin"/> is <see cref="Origin"/>.</summary>
    public static async Task<GooglePushService> StartAsync(LocalPushServer pushService, CancellationToken ct)
    {
        var google = new GooglePushService(pushService, await LocalUserAgent.ConnectAsync(pushService.Url, ct));
        await google._application.StartAsync(ct);
        return google;
    }

    /// <summary>Leads a client's connections for <see cref="Origin"/> here, as DNS and a certificate of Google's would.</summary>
    public void Lead(SocketsHttpHandler handler)
    {
        handler.ConnectCallback = async (context, ct) =>
        {
            Assert.Equal(new DnsEndPoint(new Uri(Origin).Host, 443), context.DnsEndPoint);
            var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, AddressOf(1).Port, ct);
            return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
        };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.GetCertHashString() == _certificate.GetCertHashString();
    }

    public async ValueTask DisposeAsync()
    {
        IsReachable = false;
        await _application.StopAsync();
        await _application.DisposeAsync();
        await _userAgent.DisposeAsync();
        await _receiving;
        _http.Dispose();
        _certificate.Dispose();
    }

    private Uri AddressOf(int listener) => new(_application.Urls.ElementAt(listener));

    // AndroidCheckinResponse.
    private static IResult CheckIn() => Results.Bytes(
        Encode(output =>
        {
            Write(output, 1, true);
            output.WriteTag(7, WireFormat.WireType.Fixed64);
            output.WriteFixed64(DeviceId);
            output.WriteTag(8, WireFormat.WireType.Fixed64);
            output.WriteFixed64(SecurityToken);
        }),
        "application/x-protobuffer");

    private async Task<IResult> RegisterAsync(HttpRequest request)
    {
        while (!IsReachable)
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, request.HttpContext.RequestAborted);
        var form = await request.ReadFormAsync();
        var (sender, category, subtype) = (form["sender"].ToString(), form["app"].ToString(), form["X-subtype"].ToString());
        if (form.ContainsKey("delete"))
        {
            foreach (var (endpoint, registration) in _registrations.Where(known => known.Value.Subtype == subtype))
            {
                await _userAgent.UnsubscribeAsync(registration.Subscription, request.HttpContext.RequestAborted);
                _registrations.TryRemove(endpoint, out _);
            }
            return Results.Text($"token={subtype}");
        }

        // Chromium registers for something of its own too, which is no subscription to push messages.
        var isPushApi = subtype.StartsWith("wp:", StringComparison.Ordinal);
        var subscription = await _userAgent.SubscribeAsync(isPushApi ? sender : null, request.HttpContext.RequestAborted);
        _registrations[subscription.Endpoint] = new Registration(subscription, sender, category, subtype);
        return Results.Text($"token={subscription.Endpoint[(subscription.Endpoint.LastIndexOf('/') + 1)..]}");
    }

    private async Task PassOnAsync(HttpContext context, string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_pushService.Url, $"push/{token}")) { Content = new StreamContent(context.Request.Body) };
        foreach (var (name, values) in context.Request.Headers.Where(header => header.Key is not "Host"))
        {
            if (!request.Headers.TryAddWithoutValidation(name, values.AsEnumerable()))
                request.Content.Headers.TryAddWithoutValidation(name, values.AsEnumerable());
        }
        using var response = await _http.SendAsync(request, context.RequestAborted);
        context.Response.StatusCode = (int)response.StatusCode;
        foreach (var (name, values) in response.Headers.Concat(response.Content.Headers).Where(header => header.Key is not ("Transfer-Encoding" or "Content-Length")))
            context.Response.Headers[name] = values.ToArray();
        await response.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    private async Task ReceiveAsync()
    {
        await foreach (var push in _userAgent.Received.ReadAllAsync())
        {
            if (!_registrations.TryGetValue(push.Subscription.Endpoint, out var registration))
                continue;
            const int SaltLength = 16;
            Received++;
            if (push.Content.Length > 0 && !_salts.Add(Convert.ToHexString(push.Content, 0, SaltLength)))
                RepeatedSalts++;
            var message = new Message($"0:{++_lastMessage}", registration, push.Content);
            lock (_lock)
            {
                _stored.Add(message);
                foreach (var outgoing in _connections.Values)
                    outgoing.Writer.TryWrite(message);
            }
        }
    }

    // A device that connects gets all that it has not acknowledged.
    private async Task ServeDeviceAsync(ConnectionContext connection)
    {
        var outgoing = Channel.CreateUnbounded<Message>();
        var (input, output) = (connection.Transport.Input.AsStream(), connection.Transport.Output.AsStream());
        try
        {
            Assert.Equal(Mcs.Version, await Mcs.ReadByteAsync(input));
            var (tag, login) = await Mcs.ReadAsync(input);
            Assert.Equal(Mcs.LoginRequest, tag);
            lock (_lock)
            {
                if (!IsReachable)
                {
                    connection.Abort();
                    return;
                }
                Forget(Mcs.Strings(login, Mcs.LoginRequestReceived));
                _connections.Add(connection, outgoing);
                _stored.ForEach(message => outgoing.Writer.TryWrite(message));
            }
            output.WriteByte(Mcs.Version);
            await Mcs.WriteAsync(output, Mcs.LoginResponse, Encode(response => Write(response, 1, "login")));
            var sent = new ConcurrentQueue<(int StreamId, string MessageId)>();
            var sending = SendAsync(output, outgoing.Reader, sent, connection.ConnectionClosed);
            while (true)
            {
                (tag, var message) = await Mcs.ReadAsync(input);
                var received = Mcs.LastStreamIdReceived(tag, message);
                while (sent.TryPeek(out var next) && next.StreamId <= received && sent.TryDequeue(out next))
                {
                    lock (_lock)
                        Forget([next.MessageId]);
                }
                if (tag == Mcs.HeartbeatPing)
                    outgoing.Writer.TryWrite(Message.HeartbeatAck);
                if (tag == Mcs.Close)
                    break;
            }
            await sending;
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or InvalidOperationException)
        {
            // The device has gone.
        }
        finally
        {
            lock (_lock)
                _connections.Remove(connection);
        }
    }

    private static async Task SendAsync(Stream output, ChannelReader<Message> outgoing, ConcurrentQueue<(int StreamId, string MessageId)> sent, CancellationToken closed)
    {
        // The login's answer was the first.
        var streamId = 1;
        await foreach (var message in outgoing.ReadAllAsync(closed))
        {
            streamId++;
            if (message == Message.HeartbeatAck)
            {
                await Mcs.WriteAsync(output, Mcs.HeartbeatAck, []);
                continue;
            }
            sent.Enqueue((streamId, message.Id));
            await Mcs.WriteAsync(output, Mcs.DataMessageStanza, message.Encode());
        }
    }

    private void Forget(IReadOnlyCollection<string> ids) => _stored.RemoveAll(message => ids.Contains(message.Id));

    private static byte[] Encode(Action<CodedOutputStream> write)
    {
        using var buffer = new MemoryStream();
        using (var output = new CodedOutputStream(buffer))
        {
            write(output);
        }
        return buffer.ToArray();
    }

    private static void Write(CodedOutputStream output, int field, string value)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteString(value);
    }

    private static void Write(CodedOutputStream output, int field, bool value)
    {
        output.WriteTag(field, WireFormat.WireType.Varint);
        output.WriteBool(value);
    }

    private static void Write(CodedOutputStream output, int field, byte[] value)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(value));
    }

    private static X509Certificate2 MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddDnsName(new Uri(Origin).Host);
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    private sealed record Registration(LocalSubscription Subscription, string Sender, string Category, string Subtype);

    private sealed record Message(string Id, Registration Registration, byte[] Body)
    {
        public static readonly Message HeartbeatAck = new("", null!, []);

        // DataMessageStanza.
        public byte[] Encode() => GooglePushService.Encode(output =>
        {
            Write(output, 3, Registration.Sender);
            Write(output, 5, Registration.Category);
            Write(output, 7, AppData("subtype", Registration.Subtype));
            if (Body.Length > 0)
                Write(output, 7, AppData("content-encoding", "aes128gcm"));
            Write(output, 9, Id);
            if (Body.Length > 0)
                Write(output, 21, Body);
        });

        private static byte[] AppData(string key, string value) => GooglePushService.Encode(output =>
        {
            Write(output, 1, key);
            Write(output, 2, value);
        });
    }

    /// <summary>The Mobile Connection Server's framing: a version byte at the beginning, then a tag, a length and a message each time.</summary>
    private static class Mcs
    {
        public const byte Version = 41;
        public const byte HeartbeatPing = 0;
        public const byte HeartbeatAck = 1;
        public const byte LoginRequest = 2;
        public const byte LoginResponse = 3;
        public const byte Close = 4;
        public const byte DataMessageStanza = 8;
        public const int LoginRequestReceived = 10;

        private const byte IqStanza = 7;

        public static async Task<byte> ReadByteAsync(Stream input)
        {
            var buffer = new byte[1];
            await input.ReadExactlyAsync(buffer);
            return buffer[0];
        }

        public static async Task<(byte Tag, byte[] Message)> ReadAsync(Stream input)
        {
            var tag = await ReadByteAsync(input);
            var length = 0;
            for (var shift = 0; ; shift += 7)
            {
                var next = await ReadByteAsync(input);
                length |= (next & 0x7f) << shift;
                if (next < 0x80)
                    break;
            }
            var message = new byte[length];
            await input.ReadExactlyAsync(message);
            return (tag, message);
        }

        public static async Task WriteAsync(Stream output, byte tag, byte[] message)
        {
            await output.WriteAsync(Encode(frame =>
            {
                frame.WriteRawTag(tag);
                frame.WriteBytes(ByteString.CopyFrom(message));
            }));
            await output.FlushAsync();
        }

        /// <summary>What a device has of what it was sent; it says so with whatever it sends.</summary>
        public static int LastStreamIdReceived(byte tag, byte[] message)
        {
            var field = tag switch { HeartbeatPing or HeartbeatAck => 2, IqStanza => 10, DataMessageStanza => 11, _ => 0 };
            var last = 0;
            Read(message, (number, input) => last = number == field ? input.ReadInt32() : Skip(input, last));
            return last;
        }

        public static List<string> Strings(byte[] message, int field)
        {
            var found = new List<string>();
            Read(message, (number, input) =>
            {
                if (number == field)
                    found.Add(input.ReadString());
                else
                    Skip(input, 0);
            });
            return found;
        }

        private static void Read(byte[] message, Action<int, CodedInputStream> readField)
        {
            using var input = new CodedInputStream(message);
            while (input.ReadTag() is var tag && tag != 0)
                readField(WireFormat.GetTagFieldNumber(tag), input);
        }

        private static int Skip(CodedInputStream input, int value)
        {
            input.SkipLastField();
            return value;
        }
    }
}
