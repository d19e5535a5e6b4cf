using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Notify.Benchmarks;

/// <summary>
/// Encryption beside its floor, on one core, as a Markdown table: rounds of every row are interleaved, so that a busy machine slows all
/// alike, medians are shown, and a second is one of processor time, as openssl speed counts.
/// </summary>
/// <remarks>
/// The floor is OpenSSL's time for two point multiplications on P-256, read from <c>openssl speed</c>: one of the subscriber's point, for
/// the shared secret, which is what ecdhp256 measures; and one of the base point, for the ephemeral key pair, which is nearly all of an
/// ecdsap256 signature. So 1/floor = 1/ecdh + 1/sign. Hashing and AES-GCM come on top: about one microsecond.
/// </remarks>
internal static class EncryptionTable
{
    private const int Rounds = 9;

    private static readonly TimeSpan RoundLength = TimeSpan.FromSeconds(1);

    private static readonly int[] ContentLengths = [200, 3000];

    internal static int Print(TextWriter output)
    {
        // OpenSSL inherits the core.
        if (OperatingSystem.IsLinux() || OperatingSystem.IsWindows())
        {
            using var self = Process.GetCurrentProcess();
            self.ProcessorAffinity = 1;
        }

        var rows = ContentLengths.SelectMany(CreateRows).ToList();
        rows.ForEach(row => row.Measure(TimeSpan.FromSeconds(2)));
        rows.ForEach(row => row.Clear());
        var floors = new List<double>();
        var nodeRates = ContentLengths.ToDictionary(length => length, _ => new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            if (OpenSslFloor() is { } rate)
            {
                floors.Add(rate);
            }

            rows.ForEach(row => row.Measure(RoundLength));
            foreach (var (length, rates) in nodeRates)
            {
                if (NodeRate(length) is { } nodeRate)
                {
                    rates.Add(nodeRate);
                }
            }
        }

        var floor = floors.Count > 0 ? Median(floors) : (double?)null;
        output.WriteLine($"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}, one core, median of {Rounds} interleaved rounds");
        output.WriteLine();
        output.WriteLine("| | ops/s | µs | of the floor | bytes allocated |");
        output.WriteLine("| --- | ---: | ---: | ---: | ---: |");
        if (floor is { } value)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| floor: `openssl speed ecdhp256 ecdsap256`, 1 / (1/ecdh + 1/sign) | {value:N0} | {1e6 / value:N1} | 1.00 | |"));
        }

        foreach (var row in rows)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {row.Name} | {row.Rate:N0} | {1e6 / row.Rate:N1} | {Ratio(row.Rate)} | {row.AllocatedBytes:N0} |"));
        }

        foreach (var (length, rates) in nodeRates.Where(node => node.Value.Count > 0))
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| npm web-push, {length} bytes | {Median(rates):N0} | {1e6 / Median(rates):N1} | {Ratio(Median(rates))} | |"));
        }

        return 0;

        string Ratio(double rate) => floor is { } f ? (rate / f).ToString("N2", CultureInfo.InvariantCulture) : "openssl not found";
    }

    private static IEnumerable<Row> CreateRows(int contentLength)
    {
        var benchmark = new EncryptionBenchmark { ContentLength = contentLength };
        benchmark.Setup();
        yield return new Row($"ContentEncryption.Encrypt, {contentLength} bytes", benchmark.Encrypt);
        yield return new Row($"the same by the base class library alone, {contentLength} bytes", benchmark.EncryptPortably);
        if (contentLength == ContentLengths[0])
        {
            yield return new Row("PushSubscription.Create", () => benchmark.CreateAgain() is null ? 0 : 1);
            yield return new Row("the same, checked by the base class library", () => benchmark.CheckPortably() ? 1 : 0);
        }
    }

    /// <summary>Messages a second; null where Node or the package is not there (<c>npm ci</c> in tests/Notify.Benchmarks/node).</summary>
    private static double? NodeRate(int contentLength)
    {
        var script = Path.Combine(AppContext.BaseDirectory, "../../../node/encrypt.mjs");
        if (!Directory.Exists(Path.Combine(Path.GetDirectoryName(script)!, "node_modules")))
        {
            return null;
        }

        try
        {
            using var node = Process.Start(new ProcessStartInfo("node", [script, contentLength.ToString(CultureInfo.InvariantCulture)]) { RedirectStandardOutput = true })!;
            var output = node.StandardOutput.ReadToEnd();
            node.WaitForExit();
            return node.ExitCode == 0 ? double.Parse(output, CultureInfo.InvariantCulture) : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    /// <summary>1 / (1/ecdh + 1/sign), a second; null when there is no openssl.</summary>
    private static double? OpenSslFloor()
    {
        try
        {
            using var openssl = Process.Start(new ProcessStartInfo("openssl", ["speed", "-mr", "-seconds", "1", "ecdhp256", "ecdsap256"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            openssl.ErrorDataReceived += (_, _) => { };
            openssl.BeginErrorReadLine();
            var lines = openssl.StandardOutput.ReadToEnd().Split('\n');
            openssl.WaitForExit();

            // Machine-readable: "+F5:3:256:<ecdh a second>:..." and "+F4:3:256:<signatures a second>:...".
            return 1 / ((1 / Rate("+F5:")) + (1 / Rate("+F4:")));

            double Rate(string prefix) =>
                double.Parse(lines.Last(l => l.StartsWith(prefix, StringComparison.Ordinal)).Split(':')[3], CultureInfo.InvariantCulture);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count / 2];
    }

    private sealed class Row(string name, Func<int> encrypt)
    {
        private readonly List<double> _rates = [];

        internal string Name => name;

        internal double Rate => Median(_rates);

        internal long AllocatedBytes { get; private set; }

        internal void Clear() => _rates.Clear();

        internal void Measure(TimeSpan length)
        {
            var operations = 0;
            var allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
            var start = Environment.CpuUsage.TotalTime;
            while (Environment.CpuUsage.TotalTime - start < length)
            {
                for (var i = 0; i < 50; i++)
                {
                    encrypt();
                }

                operations += 50;
            }

            _rates.Add(operations / (Environment.CpuUsage.TotalTime - start).TotalSeconds);
            AllocatedBytes = (GC.GetAllocatedBytesForCurrentThread() - allocatedBefore) / operations;
        }
    }
}
