using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Notify.Store.Migrations.Sqlite
{
    /// <inheritdoc />
    public partial class Initial : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "Deliveries",
                columns: table => new
                {
                    MessageId = table.Column<Guid>(type: "TEXT", nullable: false),
                    SubscriptionId = table.Column<Guid>(type: "TEXT", nullable: false),
                    UserId = table.Column<string>(type: "TEXT", maxLength: 256, nullable: false),
                    State = table.Column<string>(type: "TEXT", maxLength: 16, nullable: false),
                    Attempts = table.Column<int>(type: "INTEGER", nullable: false),
                    Status = table.Column<int>(type: "INTEGER", nullable: true),
                    Reason = table.Column<string>(type: "TEXT", nullable: true),
                    NextAttemptAt = table.Column<long>(type: "INTEGER", nullable: true),
                    UpdatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_Deliveries", x => new { x.MessageId, x.SubscriptionId });
                });

            migrationBuilder.CreateTable(
                name: "DevelopmentVapidKeys",
                columns: table => new
                {
                    Id = table.Column<int>(type: "INTEGER", nullable: false),
                    PublicKey = table.Column<string>(type: "TEXT", nullable: false),
                    PrivateKey = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_DevelopmentVapidKeys", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "FannedOutMessages",
                columns: table => new
                {
                    MessageId = table.Column<Guid>(type: "TEXT", nullable: false),
                    FannedOutAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_FannedOutMessages", x => x.MessageId);
                });

            migrationBuilder.CreateTable(
                name: "Subscriptions",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    UserId = table.Column<string>(type: "TEXT", maxLength: 256, nullable: false),
                    Endpoint = table.Column<string>(type: "TEXT", nullable: false),
                    EndpointDigest = table.Column<string>(type: "TEXT", fixedLength: true, maxLength: 43, nullable: false),
                    P256dh = table.Column<string>(type: "TEXT", maxLength: 87, nullable: false),
                    Auth = table.Column<string>(type: "TEXT", maxLength: 22, nullable: false),
                    ApplicationServerKey = table.Column<string>(type: "TEXT", maxLength: 87, nullable: false),
                    UserAgent = table.Column<string>(type: "TEXT", maxLength: 256, nullable: true),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    LastAcceptedAt = table.Column<long>(type: "INTEGER", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_Subscriptions", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "WaitingLines",
                columns: table => new
                {
                    SubscriptionId = table.Column<Guid>(type: "TEXT", nullable: false),
                    Head = table.Column<long>(type: "INTEGER", nullable: false),
                    HeadMessageId = table.Column<Guid>(type: "TEXT", nullable: false),
                    Attempts = table.Column<int>(type: "INTEGER", nullable: false),
                    NextAttemptAt = table.Column<long>(type: "INTEGER", nullable: false),
                    ReleasedThrough = table.Column<long>(type: "INTEGER", nullable: false),
                    ReleaseNext = table.Column<int>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_WaitingLines", x => x.SubscriptionId);
                });

            migrationBuilder.CreateTable(
                name: "WaitingPushes",
                columns: table => new
                {
                    SubscriptionId = table.Column<Guid>(type: "TEXT", nullable: false),
                    Position = table.Column<long>(type: "INTEGER", nullable: false),
                    MessageId = table.Column<Guid>(type: "TEXT", nullable: false),
                    Topic = table.Column<string>(type: "TEXT", maxLength: 32, nullable: true),
                    Command = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_WaitingPushes", x => new { x.SubscriptionId, x.Position });
                });

            migrationBuilder.CreateIndex(
                name: "IX_Deliveries_UpdatedAt",
                table: "Deliveries",
                column: "UpdatedAt");

            migrationBuilder.CreateIndex(
                name: "IX_FannedOutMessages_FannedOutAt",
                table: "FannedOutMessages",
                column: "FannedOutAt");

            migrationBuilder.CreateIndex(
                name: "IX_Subscriptions_EndpointDigest",
                table: "Subscriptions",
                column: "EndpointDigest",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_Subscriptions_UserId",
                table: "Subscriptions",
                column: "UserId");

            migrationBuilder.CreateIndex(
                name: "IX_WaitingLines_NextAttemptAt",
                table: "WaitingLines",
                column: "NextAttemptAt");

            migrationBuilder.CreateIndex(
                name: "IX_WaitingPushes_SubscriptionId_MessageId",
                table: "WaitingPushes",
                columns: new[] { "SubscriptionId", "MessageId" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_WaitingPushes_SubscriptionId_Topic",
                table: "WaitingPushes",
                columns: new[] { "SubscriptionId", "Topic" });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "Deliveries");

            migrationBuilder.DropTable(
                name: "DevelopmentVapidKeys");

            migrationBuilder.DropTable(
                name: "FannedOutMessages");

            migrationBuilder.DropTable(
                name: "Subscriptions");

            migrationBuilder.DropTable(
                name: "WaitingLines");

            migrationBuilder.DropTable(
                name: "WaitingPushes");
        }
    }
}
