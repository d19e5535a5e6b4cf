using Notify.Store;
using Npgsql;

namespace Notify.Tests.Store;

public sealed class StoreAwayTests
{
    [Theory]
    [InlineData("08006", true)]
    [InlineData("25006", true)]
    [InlineData("53100", true)]
    [InlineData("57P01", true)]
    [InlineData("23505", false)]
    [InlineData("25P02", false)]
    public void A_server_that_is_down_full_or_only_reads_is_away_and_one_that_refuses_a_command_is_not(string state, bool isAway) =>
        Assert.Equal(isAway, StoreAway.IsSaidBy(new InvalidOperationException("outer", new PostgresException("said", "ERROR", "ERROR", state))));
}
