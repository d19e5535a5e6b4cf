using System.Reflection;
using Microsoft.Data.SqlClient;
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

    // A SqlException can be had from a server alone, but for what the client has inside.
    [Theory]
    [InlineData(18401, true)]
    [InlineData(17197, true)]
    [InlineData(3906, true)]
    [InlineData(40613, true)]
    [InlineData(2627, false)]
    [InlineData(1205, false)]
    public void So_it_is_with_SQL_Server(int number, bool isAway)
    {
        const BindingFlags Inside = BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static;
        var error = typeof(SqlError).GetConstructors(Inside).MinBy(constructor => constructor.GetParameters().Length)!;
        var arguments = Array.ConvertAll(error.GetParameters(), parameter => parameter.Name switch
        {
            "infoNumber" => number,
            "errorClass" => (byte)14,
            _ when parameter.ParameterType == typeof(string) => "said",
            _ => parameter.ParameterType.IsValueType ? Activator.CreateInstance(parameter.ParameterType) : null,
        });
        var errors = (SqlErrorCollection)Activator.CreateInstance(typeof(SqlErrorCollection), nonPublic: true)!;
        typeof(SqlErrorCollection).GetMethod("Add", Inside)!.Invoke(errors, [error.Invoke(arguments)]);
        var exception = (SqlException)typeof(SqlException).GetMethod("CreateException", Inside, [typeof(SqlErrorCollection), typeof(string)])!.Invoke(null, [errors, "16.0"])!;

        Assert.Equal(number, exception.Number);
        Assert.Equal(isAway, StoreAway.IsSaidBy(new InvalidOperationException("outer", exception)));
    }

    [Theory]
    [InlineData("Microsoft.Data.SqlClient", "Timeout expired.  The timeout period elapsed prior to obtaining a connection from the pool.", true)]
    [InlineData("Microsoft.Data.SqlClient", "This SqlTransaction has completed; it is no longer usable.", false)]
    [InlineData("Microsoft.EntityFrameworkCore", "The pool is closed.", false)]
    public void So_it_is_when_all_connections_of_its_pool_are_in_use(string source, string message, bool isAway) =>
        Assert.Equal(isAway, StoreAway.IsSaidBy(new InvalidOperationException(message) { Source = source }));
}
