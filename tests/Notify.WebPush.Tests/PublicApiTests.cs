using Notify.Tests;

namespace Notify.WebPush.Tests;

public class PublicApiTests
{
    [Fact]
    public void The_public_API_is_the_one_approved() =>
        Approval.Check(PublicApi.Render(typeof(PushServiceClient).Assembly), "tests/Notify.WebPush.Tests/PublicApi.approved.txt");
}
