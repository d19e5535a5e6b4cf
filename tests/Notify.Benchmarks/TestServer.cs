using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Notify.Benchmarks;

/// <summary>nginx on loopback: takes every POST, body and all, and answers 201 with no body, over HTTP/2 or HTTP/1.1 and TLS 1.3, as push services do.</summary>
internal sealed class TestServer : IDisposable
{
    /// <summary>Requests that a connection carries at a time; for more, clients need more connections.</summary>
    internal const int StreamsPerConnection = 64;

    private const string Nginx = "/usr/sbin/nginx";

    private readonly DirectoryInfo _folder;
    private readonly Process _nginx;

    private TestServer(DirectoryInfo folder, Process nginx, string origin)
    {
        _folder = folder;
        _nginx = nginx;
        Origin = origin;
    }

    internal string Origin { get; }

    internal string Folder => _folder.FullName;

    /// <summary>The server's own certificate, which clients are to trust.</summary>
    internal string CertificateFile => Path.Combine(Folder, "certificate.pem");

    internal static TestServer Start()
    {
        var folder = Directory.CreateTempSubdirectory("notify-http-");
        var port = FreePort();
        File.WriteAllText(Path.Combine(folder.FullName, "nginx.conf"), Configuration(port));
        WriteCertificate(folder.FullName);
        var nginx = StartNginx(folder.FullName);
        WaitUntilListening(port, nginx);
        return new TestServer(folder, nginx, string.Create(CultureInfo.InvariantCulture, $"https://localhost:{port}"));
    }

    public void Dispose()
    {
        // The master takes its worker with it, which a kill would not.
        Measuring.ReadOutput(Nginx, [.. Arguments(Folder), "-s", "stop"]);
        _nginx.WaitForExit();
        _nginx.Dispose();
        _folder.Delete(recursive: true);
    }

    // "return 201" alone would answer before it has read the body, and close connections on which much was left unread. "mirror" reads it.
    private static string Configuration(int port) => string.Create(CultureInfo.InvariantCulture, $$"""
        daemon off;
        worker_processes 1;
        pid nginx.pid;
        error_log stderr crit;
        events { worker_connections 4096; }
        http {
          access_log off;
          server_tokens off;
          keepalive_requests 1000000000;
          keepalive_timeout 1h;
          http2_max_concurrent_streams {{StreamsPerConnection}};
          client_body_temp_path body;
          proxy_temp_path proxy;
          fastcgi_temp_path fastcgi;
          uwsgi_temp_path uwsgi;
          scgi_temp_path scgi;
          server {
            listen 127.0.0.1:{{port}} ssl http2;
            ssl_certificate certificate.pem;
            ssl_certificate_key key.pem;
            ssl_protocols TLSv1.3;
            location / { mirror /read; empty_gif; error_page 405 =201 @taken; }
            location = /read { internal; return 204; }
            location @taken { return 201; }
          }
        }

        """);

    private static Process StartNginx(string folder)
    {
        try
        {
            return Process.Start(Nginx, Arguments(folder));
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException("nginx not found: apt-get install nginx-light", e);
        }
    }

    private static string[] Arguments(string folder) => ["-p", folder + "/", "-c", "nginx.conf", "-e", "stderr"];

    private static void WriteCertificate(string folder)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        File.WriteAllText(Path.Combine(folder, "certificate.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(folder, "key.pem"), key.ExportPkcs8PrivateKeyPem());
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static void WaitUntilListening(int port, Process nginx)
    {
        while (true)
        {
            try
            {
                using var client = new TcpClient();
                client.Connect(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException) when (!nginx.HasExited)
            {
                Thread.Sleep(20);
            }
        }
    }
}
