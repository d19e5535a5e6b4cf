using Notify.Dashboard;

namespace Notify.Tests.Dashboard;

public sealed class TimeBucketsTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(0.0005)]
    [InlineData(0.03)]
    [InlineData(7)]
    [InlineData(86_400)]
    [InlineData(1e9)]
    public void A_time_is_told_to_a_quarter(double seconds)
    {
        var buckets = new long[TimeBuckets.Count];
        buckets[TimeBuckets.Of(seconds)]++;

        var told = TimeBuckets.Quantile(buckets, 0.5)!.Value;

        Assert.True(seconds is < 0.001 or > 100_000 || (told >= seconds * 0.999 && told <= seconds * 1.26), $"{seconds} is told as {told}");
    }

    [Fact]
    public void Of_a_hundred_times_half_are_within_the_median_and_all_but_one_within_the_99th()
    {
        var buckets = TimeBuckets.Sum(Enumerable.Range(1, 100).Select(i =>
        {
            var one = new long[TimeBuckets.Count];
            one[TimeBuckets.Of(i / 100.0)]++;
            return (IReadOnlyList<long>)one;
        }));

        Assert.InRange(TimeBuckets.Quantile(buckets, 0.5)!.Value, 0.5, 0.63);
        Assert.InRange(TimeBuckets.Quantile(buckets, 0.99)!.Value, 0.99, 1.25);
        Assert.Null(TimeBuckets.Quantile(new long[TimeBuckets.Count], 0.5));
    }

    [Theory]
    [InlineData("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux")]
    [InlineData("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", "Edge on Windows")]
    [InlineData("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36", "Chrome on Android")]
    [InlineData("Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1", "Safari on iOS")]
    [InlineData("curl/8", "other")]
    [InlineData(null, "other")]
    public void A_browser_is_named_by_its_header(string? userAgent, string name) => Assert.Equal(name, BrowserNames.Of(userAgent));
}
