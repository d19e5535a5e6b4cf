using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.SqlServer.TransactSql.ScriptDom;
using Notify.Store;

namespace Notify.Tests.Store;

/// <summary>What can be known of the SQL for SQL Server where there is none: that its own parser takes it, and what it says.</summary>
public sealed class SqlServerScriptTests
{
    private static readonly SqlServerNotifyDbContext Db = new(new DbContextOptionsBuilder<SqlServerNotifyDbContext>().UseSqlServer("Server=nowhere").Options);

    [Fact]
    public void The_migrations_script_is_valid() => Assert.NotEmpty(Parse(Db.GetService<IMigrator>().GenerateScript()).Batches);

    [Fact]
    public void The_script_that_may_be_run_again_is_valid() => Assert.NotEmpty(Parse(Db.GetService<IMigrator>().GenerateScript(options: MigrationsSqlGenerationOptions.Idempotent)).Batches);

    [Theory]
    [InlineData(SqlServerNotifyDbContext.LockStatement)]
    [InlineData(SqlServerNotifyDbContext.KeysQuery)]
    [InlineData(SqlServerNotifyDbContext.DeliveriesStatement)]
    [InlineData(SqlServerNotifyDbContext.AcceptedStatement)]
    public void The_statements_by_hand_are_valid(string statement) => Parse(statement.Replace("{0}", "@p0", StringComparison.Ordinal).Replace("{1}", "@p1", StringComparison.Ordinal));

    [Fact]
    public void What_is_compared_byte_for_byte_has_a_binary_collation()
    {
        var columns = new Columns();
        Parse(Db.GetService<IMigrator>().GenerateScript()).Accept(columns);

        Assert.All(
            ["Subscriptions.UserId", "Subscriptions.EndpointDigest", "Deliveries.UserId", "WaitingPushes.Topic"],
            name => Assert.EndsWith("_BIN2", columns.Collations[name], StringComparison.Ordinal));
    }

    [Fact]
    public void Rows_that_publishers_name_are_clustered_by_their_coming()
    {
        var clustered = new Clustered();
        Parse(Db.GetService<IMigrator>().GenerateScript()).Accept(clustered);

        Assert.Equal(["IX_Deliveries_InsertionOrder", "IX_DeliveryAttempts_InsertionOrder", "IX_FannedOutParts_InsertionOrder"], clustered.Indexes.Order());
        var columns = new Columns();
        Parse(Db.GetService<IMigrator>().GenerateScript()).Accept(columns);
        Assert.Equal(["Deliveries.InsertionOrder", "DeliveryAttempts.InsertionOrder", "FannedOutParts.InsertionOrder", "InboxState.Id", "OutboxMessage.SequenceNumber"], columns.Numbered.Order());
    }

    [Fact]
    public void New_ids_are_in_the_order_that_the_server_sorts_by()
    {
        var ids = Enumerable.Range(0, 1_000).Select(_ => new System.Data.SqlTypes.SqlGuid(Db.NewId(DateTimeOffset.UtcNow))).ToList();

        Assert.Equal(ids.Order(), ids);
    }

    [Fact]
    public void Another_script_is_refused() => Assert.ThrowsAny<Exception>(() => Parse("SELECT FROM WHERE"));

    private static TSqlScript Parse(string sql)
    {
        var script = (TSqlScript)new TSql160Parser(initialQuotedIdentifiers: true).Parse(new StringReader(sql), out var errors);
        Assert.Empty(errors.Select(error => $"{error.Line}: {error.Message}"));
        return script;
    }

    private sealed class Columns : TSqlFragmentVisitor
    {
        public Dictionary<string, string> Collations { get; } = [];

        public List<string> Numbered { get; } = [];

        public override void Visit(CreateTableStatement node)
        {
            foreach (var column in node.Definition.ColumnDefinitions)
            {
                var name = $"{node.SchemaObjectName.BaseIdentifier.Value}.{column.ColumnIdentifier.Value}";
                if (column.Collation is not null)
                {
                    Collations[name] = column.Collation.Value;
                }

                if (column.IdentityOptions is not null)
                {
                    Numbered.Add(name);
                }
            }
        }
    }

    private sealed class Clustered : TSqlFragmentVisitor
    {
        public List<string> Indexes { get; } = [];

        public override void Visit(CreateIndexStatement node)
        {
            if (node.Clustered == true)
            {
                Indexes.Add(node.Name.Value);
            }
        }
    }
}
