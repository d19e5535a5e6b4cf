using System.Globalization;

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
        Measuring.PinToCore(0);
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

        var floor = floors.Count > 0 ? Measuring.Median(floors) : (double?)null;
        Measuring.PrintHeading(output, Rounds);
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
            var nodeRate = Measuring.Median(rates);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| npm web-push, {length} bytes | {nodeRate:N0} | {1e6 / nodeRate:N1} | {Ratio(nodeRate)} | |"));
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

    /// <summary>Messages a second; null where npm web-push is not there.</summary>
    private static double? NodeRate(int contentLength) =>
        Measuring.ReadNodeOutput("encrypt.mjs", contentLength.ToString(CultureInfo.InvariantCulture)) is { } rate ? double.Parse(rate, CultureInfo.InvariantCulture) : null;

    /// <summary>1 / (1/ecdh + 1/sign), a second; null when there is no openssl.</summary>
    private static double? OpenSslFloor()
    {
        if (Measuring.ReadOutput("openssl", ["speed", "-mr", "-seconds", "1", "ecdhp256", "ecdsap256"]) is not { } output)
        {
            return null;
        }

        // Machine-readable: "+F5:3:256:<ecdh a second>:..." and "+F4:3:256:<signatures a second>:...".
        var lines = output.Split('\n');
        return 1 / ((1 / Rate("+F5:")) + (1 / Rate("+F4:")));

        double Rate(string prefix) =>
            double.Parse(lines.Last(l => l.StartsWith(prefix, StringComparison.Ordinal)).Split(':')[3], CultureInfo.InvariantCulture);
    }

    private sealed class Row(string name, Func<int> encrypt)
    {
        private readonly List<double> _rates = [];

        internal string Name => name;

        internal double Rate => Measuring.Median(_rates);

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
