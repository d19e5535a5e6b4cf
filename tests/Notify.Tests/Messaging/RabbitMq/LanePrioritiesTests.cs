using Notify.Messaging.RabbitMq;

namespace Notify.Tests.Messaging.RabbitMq;

public sealed class LanePrioritiesTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(32)]
    [InlineData(100)]
    public void Workers_numbered_without_a_gap_have_equally_many_lanes_give_or_take_one(int lanes)
    {
        for (var workers = 1; workers <= 16; workers++)
        {
            var counts = Spread(lanes, Enumerable.Range(0, workers));

            Assert.InRange(counts.Max() - counts.Min(), 0, 1);
        }
    }

    [Fact]
    public void When_one_leaves_the_others_keep_their_lanes_and_share_its()
    {
        for (var gone = 0; gone < 4; gone++)
        {
            var left = Enumerable.Range(0, 4).Where(worker => worker != gone).ToArray();
            for (var lane = 0; lane < 16; lane++)
            {
                var before = Owner(16, lane, Enumerable.Range(0, 4));
                Assert.True(before == gone || before == Owner(16, lane, left));
            }

            // Even would be 6.
            Assert.InRange(Spread(16, left).Max(), 6, 8);
        }
    }

    [Fact]
    public void No_two_workers_have_the_same_priority_for_a_lane() =>
        Assert.All(Enumerable.Range(0, 8), lane => Assert.Equal(
            LanePriorities.MostWorkers,
            Enumerable.Range(0, LanePriorities.MostWorkers).Select(worker => LanePriorities.Of(8, lane, worker)).Distinct().Count()));

    [Fact]
    public void Further_workers_stand_by() => Assert.All(Enumerable.Range(0, 8), lane => Assert.Equal(0, LanePriorities.Of(8, lane, LanePriorities.MostWorkers)));

    private static int[] Spread(int lanes, IEnumerable<int> workers) =>
        [.. workers.Select(worker => Enumerable.Range(0, lanes).Count(lane => Owner(lanes, lane, workers) == worker))];

    private static int Owner(int lanes, int lane, IEnumerable<int> workers) => workers.MaxBy(worker => LanePriorities.Of(lanes, lane, worker));
}
