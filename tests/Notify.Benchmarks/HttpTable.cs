using System.Diagnostics;
using System.Globalization;

namespace Notify.Benchmarks;

/// <summary>
/// A client's processor time for each POST, beside <c>h2load</c>'s for the same requests, as a Markdown table. Each client is a process on
/// one core, the server on the other; rounds of every row are interleaved, and medians are shown.
/// </summary>
internal static class HttpTable
{
    private const int Rounds = 9;
    private const int Connections = HttpLoad.InFlight / TestServer.StreamsPerConnection;

    private static readonly int[] ContentLengths = [200, 3000];

    // As Notify.csproj has them.
    private static readonly Dictionary<string, string?> RuntimeSettings = new()
    {
        ["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0",
        ["DOTNET_SYSTEM_BUFFERS_SHAREDARRAYPOOL_MAXARRAYSPERPARTITION"] = "256",
    };

    internal static int Print(TextWriter output)
    {
        Measuring.PinToCore(1);
        using var server = TestServer.Start();
        Environment.SetEnvironmentVariable("SSL_CERT_FILE", server.CertificateFile);
        Environment.SetEnvironmentVariable("NODE_EXTRA_CA_CERTS", server.CertificateFile);
        Measuring.PinToCore(0);

        var rows = ContentLengths.SelectMany(length => CreateRows(server, length)).ToList();
        try
        {
            for (var round = 0; round <= Rounds; round++)
            {
                foreach (var row in rows)
                {
                    // The first is to warm up.
                    row.Measure(seconds: round == 0 ? 4 : 1, isKept: round > 0);
                }
            }
        }
        finally
        {
            rows.ForEach(row => row.Dispose());
        }

        Measuring.PrintHeading(output, Rounds);
        output.WriteLine("| | requests/s | µs | of h2load's | bytes allocated |");
        output.WriteLine("| --- | ---: | ---: | ---: | ---: |");
        foreach (var group in rows.Where(row => row.IsThere).GroupBy(row => row.ContentLength))
        {
            var h2load = group.First().Seconds;
            foreach (var row in group)
            {
                output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {row.Name}, {row.ContentLength} bytes | {1 / row.Seconds:N0} | {1e6 * row.Seconds:N1} | {row.Seconds / h2load:N2} | {row.AllocatedBytes:N0} |"));
            }
        }

        return 0;
    }

    private static IEnumerable<Row> CreateRows(TestServer server, int contentLength)
    {
        var target = new PushTarget(server.Origin, contentLength);
        yield return new Row("h2load", contentLength, CreateH2Load(server, target));
        yield return CreateRow("PushServiceClient, HTTP alone", HttpLoadKind.HttpAlone, RuntimeSettings);
        yield return CreateRow("the same with .NET's own runtime settings", HttpLoadKind.HttpAlone);
        yield return CreateRow("PushServiceClient, encryption included", HttpLoadKind.WithEncryption, RuntimeSettings);
        yield return CreateRow("HttpClient as people write it, HTTP/2", HttpLoadKind.HttpClient2);
        yield return CreateRow("HttpClient as people write it, HTTP/1.1", HttpLoadKind.HttpClient1);
        yield return new Row("npm web-push, encryption included", contentLength, seconds => Measuring.ReadNodeOutput(
            "send.mjs", server.Origin, Text(contentLength), Text(HttpLoad.InFlight), Text(seconds)) is { } line ? Sample.Parse(line) : null);

        Row CreateRow(string name, HttpLoadKind kind, IReadOnlyDictionary<string, string?>? environment = null)
        {
            var start = new ProcessStartInfo(Environment.ProcessPath!, ["http-load", kind.ToString(), server.Origin, Text(contentLength)])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            };
            foreach (var (variable, value) in environment ?? new Dictionary<string, string?>())
            {
                start.Environment[variable] = value;
            }

            var process = Process.Start(start)!;
            return new Row(name, contentLength, seconds =>
            {
                process.StandardInput.WriteLine(Text(seconds));
                return Sample.Parse(process.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"{name} ended."));
            }, process);
        }
    }

    private static Func<double, Sample?> CreateH2Load(TestServer server, PushTarget target)
    {
        var body = Path.Combine(server.Folder, $"body-{target.Encrypted.Length}");
        var endpoints = Path.Combine(server.Folder, "endpoints");
        File.WriteAllBytes(body, target.Encrypted);
        File.WriteAllLines(endpoints, target.Subscriptions.Select(s => s.Endpoint.AbsoluteUri));
        return seconds =>
        {
            var count = (int)(seconds * 100_000);
            var before = ChildrenSeconds();
            var output = Measuring.ReadOutput("h2load",
            [
                "-n", Text(count), "-c", Text(Connections), "-m", Text(TestServer.StreamsPerConnection), "-d", body, "-i", endpoints,
                .. target.Headers.SelectMany(h => new[] { "-H", $"{h.Name}: {h.Value}" }),
            ]) ?? throw new InvalidOperationException("h2load not found: apt-get install nghttp2-client");
            if (!output.Contains($"status codes: {count} 2xx", StringComparison.Ordinal))
            {
                throw new InvalidOperationException(output);
            }

            return new Sample(count, ChildrenSeconds() - before, null);
        };
    }

    // Of processor time, by children that have ended: cutime and cstime of proc(5), the 16th and 17th field, in hundredths.
    private static double ChildrenSeconds()
    {
        var stat = File.ReadAllText("/proc/self/stat");
        return stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[13..15].Sum(ticks => double.Parse(ticks, CultureInfo.InvariantCulture)) / 100;
    }

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);

    private sealed record Sample(double Requests, double Seconds, double? AllocatedBytes)
    {
        internal static Sample Parse(string line)
        {
            var numbers = line.Split(' ').Select(n => double.Parse(n, CultureInfo.InvariantCulture)).ToList();
            return new Sample(numbers[0], numbers[1], numbers.Count > 2 ? numbers[2] : null);
        }
    }

    private sealed class Row(string name, int contentLength, Func<double, Sample?> measure, Process? process = null) : IDisposable
    {
        private readonly List<Sample> _samples = [];

        internal string Name => name;

        internal int ContentLength => contentLength;

        internal bool IsThere => _samples.Count > 0;

        /// <summary>Of processor time, for each request.</summary>
        internal double Seconds => Measuring.Median(_samples.Select(s => s.Seconds / s.Requests));

        internal double? AllocatedBytes => _samples.Any(s => s.AllocatedBytes is null) ? null : Measuring.Median(_samples.Select(s => s.AllocatedBytes!.Value / s.Requests));

        internal void Measure(double seconds, bool isKept)
        {
            if (measure(seconds) is { } sample && isKept)
            {
                _samples.Add(sample);
            }
        }

        public void Dispose()
        {
            // The end of its input ends it.
            process?.StandardInput.Close();
            process?.WaitForExit();
            process?.Dispose();
        }
    }
}
