using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Notify.IntegrationTests.Brokers;

namespace Notify.Benchmarks.Load;

/// <summary>
/// A push service that costs next to nothing: nginx, which answers every POST with 201, over TLS by HTTP/2 or HTTP/1.1, on as many ports as there are to be push
/// services. Its log tells when each push was answered, to the millisecond.
/// </summary>
internal sealed class NginxPushService : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("notify-nginx-");
    private readonly byte[] _buffer = new byte[64 * 1024];
    private readonly Process _process;
    private readonly FileStream _log;

    // Nobody takes a connection from here, but the kernel: what is sent to it stays without an answer.
    private readonly TcpListener? _nobody;
    private long _received;

    private NginxPushService(int[] ports, bool mayFail)
    {
        Origins = [.. ports.Select(port => new Uri($"https://localhost:{port}"))];
        WriteCertificate();
        if (mayFail)
        {
            _nobody = new TcpListener(IPAddress.Loopback, 0);
            _nobody.Start(4096);
        }

        File.WriteAllText(Path.Combine(_folder.FullName, "nginx.conf"), Configuration(ports));
        _process = Process.Start(new ProcessStartInfo("setsid", ["nginx", "-p", _folder.FullName, "-c", "nginx.conf", "-e", "error.log"]))!;
        _log = new FileStream(LogFile, FileMode.OpenOrCreate, FileAccess.Read, FileShare.ReadWrite);
    }

    /// <summary>The push services.</summary>
    public IReadOnlyList<Uri> Origins { get; }

    /// <summary>The authority to trust, as PEM.</summary>
    public string CertificateFile => Path.Combine(_folder.FullName, "server.pem");

    /// <summary>Its processes.</summary>
    public IReadOnlyList<int> Processes => ProcessTimes.TreeOf(_process.Id);

    private string LogFile => Path.Combine(_folder.FullName, "pushes.log");

    /// <summary>Starts so many push services.</summary>
    /// <param name="count">How many.</param>
    /// <param name="mayFail">Whether <see cref="Fail"/> is to be had, for which each push costs two looks at files.</param>
    /// <exception cref="IOException">It did not start.</exception>
    public static Task<NginxPushService> StartAsync(int count = 1, bool mayFail = false) => LoopbackPorts.UseAsync(count, async ports =>
    {
        var service = new NginxPushService(ports, mayFail);
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, ports[^1]);
                return service;
            }
            catch (SocketException) when (!service._process.HasExited && attempt < 100)
            {
                await Task.Delay(20);
            }
            catch (SocketException exception)
            {
                await service.DisposeAsync();
                throw new IOException("nginx did not start: apt-get install -y --no-install-recommends nginx", exception);
            }
        }
    });

    /// <summary>Pushes answered so far: lines of the log.</summary>
    public long Received()
    {
        int read;
        while ((read = _log.Read(_buffer)) > 0)
        {
            _received += _buffer.AsSpan(0, read).Count((byte)'\n');
        }

        return _received;
    }

    /// <summary>Waits until so many were answered in all.</summary>
    /// <exception cref="TimeoutException">None came for a minute.</exception>
    public async Task ReceivedAsync(long count)
    {
        var (last, since) = (-1L, Stopwatch.GetTimestamp());
        while (Received() is var received && received < count)
        {
            if (received != last)
            {
                (last, since) = (received, Stopwatch.GetTimestamp());
            }
            else if (Stopwatch.GetElapsedTime(since) > TimeSpan.FromMinutes(1))
            {
                throw new TimeoutException($"The push service has {received} of {count} pushes, and no more come.");
            }

            await Task.Delay(20);
        }
    }

    /// <summary>When each push was answered with 201, by its topic; of pushes that share one, all.</summary>
    /// <param name="origin">By this one of the push services alone; by all of them if null.</param>
    public async Task<ILookup<string, DateTimeOffset>> AnswersAsync(Uri? origin = null)
    {
        using var reader = new StreamReader(new FileStream(LogFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return (await reader.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' '))
            .Where(fields => fields[3] == "201" && (origin is null || fields[2] == $"{origin.Port}"))
            .ToLookup(fields => fields[1], fields => DateTimeOffset.UnixEpoch.AddSeconds(double.Parse(fields[0], CultureInfo.InvariantCulture)));
    }

    /// <summary>From now on one of the push services fails, or does no more.</summary>
    public void Fail(Uri origin, PushServiceFault fault)
    {
        foreach (var each in Enum.GetValues<PushServiceFault>().Where(each => each != PushServiceFault.None))
        {
            if (each == fault)
            {
                File.WriteAllText(FaultFile(origin.Port, each), "");
            }
            else
            {
                File.Delete(FaultFile(origin.Port, each));
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            using var kill = Process.Start("kill", ["-s", "TERM", $"{_process.Id}"]);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        _nobody?.Dispose();
        await _log.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    // 'return' alone would answer before it has read the body: mirror has it read, empty_gif refuses the POST, and that becomes 201.
    private string Configuration(int[] ports) => $$"""
        daemon off;
        {{(_nobody is null ? "" : $"user {Environment.UserName};")}}
        worker_processes 1;
        pid nginx.pid;
        events { worker_connections 4096; }
        http {
          log_format answers '$msec $http_topic $server_port $status';
          access_log pushes.log answers buffer=64k flush=10ms;
          server_tokens off;
          client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
          keepalive_requests 1000000000;
          ssl_certificate server.pem;
          ssl_certificate_key server.key;
          ssl_session_cache shared:tls:1m;
          {{string.Concat(ports.Select(port => $"server {{ listen 127.0.0.1:{port} ssl http2; {Faults(port)} location / {{ mirror /read; empty_gif; error_page 405 =201 @taken; }} location = /read {{ internal; return 204; }} location @taken {{ return 201; }} }}\n"))}}
        }
        """;

    private string Faults(int port) => _nobody is null ? "" : $$"""
        if (-f {{FaultFile(port, PushServiceFault.Unavailable)}}) { return 503; }
        if (-f {{FaultFile(port, PushServiceFault.NoAnswer)}}) { rewrite ^ /nobody last; }
        location = /nobody { internal; proxy_pass http://{{_nobody.LocalEndpoint}}; proxy_read_timeout 10m; }
        """;

    private string FaultFile(int port, PushServiceFault fault) => Path.Combine(_folder.FullName, $"{port}.{fault}");

    private void WriteCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        File.WriteAllText(CertificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_folder.FullName, "server.key"), key.ExportPkcs8PrivateKeyPem());
    }
}

/// <summary>How a push service fails.</summary>
internal enum PushServiceFault
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>It answers 503.</summary>
    Unavailable,

    /// <summary>It takes a push and does not answer.</summary>
    NoAnswer,
}
