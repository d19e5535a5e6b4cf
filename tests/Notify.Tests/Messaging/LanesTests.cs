using Notify.Messaging;

namespace Notify.Tests.Messaging;

public sealed class LanesTests
{
    // What lies in the queues was sent by other processes, perhaps of another version: a key must never change its lane.
    [Theory]
    [InlineData("room-1", 8, 4)]
    [InlineData("0191f6a2-0000-7000-8000-000000000001", 8, 0)]
    [InlineData("0191f6a2-0000-7000-8000-000000000001", 256, 224)]
    public void A_keys_lane_is_the_same_for_ever(string key, int lanes, int lane) => Assert.Equal(lane, Lanes.LaneOf(key, lanes));

    [Fact]
    public void Keys_spread_over_the_lanes()
    {
        var counts = Enumerable.Range(0, 8_000).GroupBy(_ => Lanes.LaneOf(Guid.CreateVersion7().ToString(), 8)).Select(lane => lane.Count()).ToList();

        Assert.Equal(8, counts.Count);
        Assert.All(counts, count => Assert.InRange(count, 800, 1_200));
    }
}
