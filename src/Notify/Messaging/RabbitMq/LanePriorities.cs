using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// Who gets which lane. Each worker consumes from every lane, at a priority that only its number and the lane's decide; RabbitMQ 4.0 and later give a lane to the
/// highest. The priorities are such that workers 0 to n have equally many lanes, give or take one, for every n, and that the lanes of one that leaves go to different others.
/// </summary>
/// <remarks>Of a lane there is an order of preference, made worker by worker: a newcomer takes its share from those that have most and goes to the top there; in
/// every other lane it goes to some place below the top. A priority is the place in that order.</remarks>
internal static class LanePriorities
{
    /// <summary>Workers that share lanes; further ones stand by.</summary>
    public const int MostWorkers = 64;

    private static readonly ConcurrentDictionary<int, int[][]> Tables = [];

    /// <summary>The consumer priority.</summary>
    /// <param name="lanes">Lanes of the stage, 1 or more.</param>
    /// <param name="lane">The lane's number, from 0.</param>
    /// <param name="worker">The worker's number, from 0.</param>
    public static int Of(int lanes, int lane, int worker) => worker < MostWorkers ? Tables.GetOrAdd(lanes, Make)[lane][worker] + 1 : 0;

    private static int[][] Make(int lanes)
    {
        var preferences = Enumerable.Range(0, lanes).Select(_ => new List<int> { 0 }).ToArray();
        for (var newcomer = 1; newcomer < MostWorkers; newcomer++)
        {
            var owned = preferences.Index().GroupBy(lane => lane.Item[^1], lane => lane.Index).ToDictionary(owner => owner.Key, owner => new Stack<int>(owner));
            var share = new HashSet<int>();
            while (share.Count < lanes / (newcomer + 1))
            {
                share.Add(owned.OrderByDescending(owner => owner.Value.Count).ThenBy(owner => owner.Key).First().Value.Pop());
            }

            foreach (var (lane, preference) in preferences.Index())
            {
                preference.Insert(share.Contains(lane) ? preference.Count : BelowTheTop(newcomer, lane, preference.Count), newcomer);
            }
        }

        return [.. preferences.Select(preference => Enumerable.Range(0, MostWorkers).Select(worker => preference.IndexOf(worker)).ToArray())];
    }

    // Any place will do, as long as every process finds the same.
    private static int BelowTheTop(int worker, int lane, int places) =>
        SHA256.HashData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{worker}/{lane}")))[0] % places;
}
