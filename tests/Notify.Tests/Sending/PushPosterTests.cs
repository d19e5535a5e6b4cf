using Notify.Contracts;
using Notify.Sending;

namespace Notify.Tests.Sending;

/// <summary>What a look at a push alone can tell; the rest is told by <see cref="MainWayTests"/> and others.</summary>
public sealed class PushPosterTests
{
    [Theory]
    [InlineData(60, 59.95, 60)]
    [InlineData(60, 30.4, 30)]
    [InlineData(60, 75, 60)]
    [InlineData(1, 0.98, 1)]
    [InlineData(1, 0.2, 0)]
    [InlineData(60, -5, 0)]
    [InlineData(0, 30, 0)]
    public void A_push_service_is_told_what_is_left_of_the_TTL(int ttlSeconds, double left, int seconds)
    {
        var now = DateTimeOffset.UnixEpoch;
        var push = new SendPush
        {
            SubscriptionId = Guid.NewGuid(), UserId = "ada", MessageId = Guid.NewGuid(), Payload = "{}", Urgency = "normal", TtlSeconds = ttlSeconds, ExpiresAt = now.AddSeconds(left),
        };

        Assert.Equal(TimeSpan.FromSeconds(seconds), PushPoster.TimeToLive(push, now));
    }
}
