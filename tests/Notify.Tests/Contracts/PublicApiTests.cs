using Notify.Contracts;

namespace Notify.Tests.Contracts;

public sealed class PublicApiTests
{
    [Fact]
    public void The_public_API_is_the_one_approved() =>
        Approval.Check(PublicApi.Render(typeof(MessagePosted).Assembly), "tests/Notify.Tests/Contracts/PublicApi.approved.txt");
}
