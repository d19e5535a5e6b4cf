namespace Notify.Dashboard;

/// <summary>Counts times by their size, so that those of several workers can be added up: from a millisecond to a day, each bucket a quarter wider than the one before.</summary>
internal static class TimeBuckets
{
    private const double Smallest = 0.001;
    private const double Growth = 1.25;

    /// <summary>How many there are; the last takes everything beyond.</summary>
    public const int Count = 84;

    /// <summary>The bucket of a time in seconds.</summary>
    public static int Of(double seconds) => seconds <= Smallest ? 0 : Math.Min((int)Math.Ceiling(Math.Log(seconds / Smallest, Growth)), Count - 1);

    /// <summary>The time, in seconds, that this share of those counted did not exceed; null if none was counted.</summary>
    /// <param name="buckets">Counts by bucket.</param>
    /// <param name="share">From 0 to 1, such as 0.99.</param>
    public static double? Quantile(IReadOnlyList<long> buckets, double share)
    {
        var wanted = buckets.Sum() * share;
        if (wanted <= 0)
        {
            return null;
        }

        double passed = 0;
        for (var i = 0; i < buckets.Count; i++)
        {
            passed += buckets[i];
            if (passed >= wanted)
            {
                return Smallest * Math.Pow(Growth, i);
            }
        }

        return Smallest * Math.Pow(Growth, buckets.Count - 1);
    }

    /// <summary>Adds up what several have counted.</summary>
    public static long[] Sum(IEnumerable<IReadOnlyList<long>> counts)
    {
        var sum = new long[Count];
        foreach (var each in counts)
        {
            for (var i = 0; i < Math.Min(each.Count, Count); i++)
            {
                sum[i] += each[i];
            }
        }

        return sum;
    }
}
